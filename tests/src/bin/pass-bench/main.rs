//! What a pass over many active clusters costs, over the embedded store, with stand-ins for their schedulers. Prints; asserts nothing.
//!
//! `pass-bench [CLUSTERS …]`: 100, 1,000 and 10,000 by default, each with ten workers. Every size is measured in a process of its own.
#![allow(clippy::unwrap_used)]

mod measure;
mod process;
mod report;

use clap::Parser;
use faregate_tests::crowd::StandIns;
use measure::Measured;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// What a pass over many active clusters costs.
#[derive(Parser)]
struct Arguments {
    /// How many clusters; several times, one after the other.
    #[arg(default_values_t = [100, 1_000, 10_000])]
    clusters: Vec<usize>,
    /// Only answers questions, as the schedulers of all: says where, and ends with its input.
    #[arg(long, hide = true)]
    answer: bool,
    /// Only measures, with schedulers at these addresses.
    #[arg(long, hide = true, value_delimiter = ',')]
    at: Vec<SocketAddr>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if arguments.answer {
        return answer().await;
    }
    if !arguments.at.is_empty() {
        let measured = measure::measure(arguments.clusters[0], &arguments.at).await;
        return println!("{}", serde_json::to_string(&measured).unwrap());
    }
    let (mut answering, addresses) = stand_ins();
    let mut measured: Vec<Measured> = Vec::new();
    for clusters in arguments.clusters {
        eprintln!("{clusters} clusters …");
        let own = std::env::current_exe().unwrap();
        let output =
            Command::new(own).args(["--at", &addresses, &clusters.to_string()]).stderr(Stdio::inherit()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "the measurement of {clusters} clusters failed");
        measured.push(serde_json::from_slice(&output.stdout).unwrap());
    }
    drop(answering.stdin.take());
    answering.wait().unwrap();
    report::print(&measured);
}

/// Says where it listens, and ends with its input.
async fn answer() {
    let stand_ins = StandIns::start(1).await.unwrap();
    let addresses: Vec<String> = stand_ins.addresses.iter().map(SocketAddr::to_string).collect();
    println!("{}", addresses.join(","));
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.unwrap().unwrap();
}

/// A process that answers for all schedulers, and where.
fn stand_ins() -> (Child, String) {
    let own = std::env::current_exe().unwrap();
    let mut child = Command::new(own).arg("--answer").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut addresses = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut addresses).unwrap();
    (child, addresses.trim().to_owned())
}
