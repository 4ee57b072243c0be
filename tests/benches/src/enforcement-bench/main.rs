//! What an enforcement run over many active clusters costs, over the embedded store, with stand-ins for their schedulers. Prints; asserts nothing.
//!
//! `enforcement-bench [CLUSTERS …]`: 100, 1,000 and 10,000 by default, each with ten workers. Every size is written, and
//! then measured, in a process of its own.
#![allow(clippy::unwrap_used)]

mod measure;
mod process;
mod report;

use clap::Parser;
use faregate_tests::crowd::StandIns;
use measure::Measured;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// This program, also when another has been built in its place (proc(5)).
const OWN: &str = "/proc/self/exe";

/// What an enforcement run over many active clusters costs.
#[derive(Parser)]
struct Arguments {
    /// How many clusters; several times, one after the other.
    #[arg(default_values_t = [100, 1_000, 10_000])]
    clusters: Vec<usize>,
    /// Only answers questions, as the schedulers of all: says where, and ends with its input.
    #[arg(long, hide = true)]
    answer: bool,
    /// Only writes the records, of clusters whose schedulers are at these addresses.
    #[arg(long, hide = true, value_delimiter = ',', requires = "store")]
    write: Vec<SocketAddr>,
    /// Where the records are. Alone: only measures.
    #[arg(long, hide = true)]
    store: Option<PathBuf>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if arguments.answer {
        return answer().await;
    }
    match arguments.store {
        Some(store) if arguments.write.is_empty() => {
            let measured = measure::measure(arguments.clusters[0], &store).await;
            println!("{}", serde_json::to_string(&measured).unwrap());
        }
        Some(store) => measure::write(arguments.clusters[0], &store, &arguments.write).await,
        None => measure_all(&arguments.clusters),
    }
}

/// Each size in a directory and processes of its own.
fn measure_all(sizes: &[usize]) {
    let (mut answering, addresses) = stand_ins();
    let mut measured: Vec<Measured> = Vec::new();
    for clusters in sizes {
        eprintln!("{clusters} clusters …");
        let dir = tempfile::Builder::new().prefix("faregate-enforcement-bench-").tempdir().unwrap();
        let store = dir.path().join("store.sqlite");
        run(*clusters, &store, &["--write", &addresses]);
        measured.push(serde_json::from_slice(&run(*clusters, &store, &[])).unwrap());
    }
    drop(answering.stdin.take());
    answering.wait().unwrap();
    report::print(&measured);
}

/// What this program says when it does a part of its work.
fn run(clusters: usize, store: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(OWN);
    let output = command.arg(clusters.to_string()).arg("--store").arg(store).args(arguments);
    let output = output.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{clusters} clusters: {arguments:?} failed");
    output.stdout
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
    let mut child = Command::new(OWN).arg("--answer").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut addresses = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut addresses).unwrap();
    (child, addresses.trim().to_owned())
}
