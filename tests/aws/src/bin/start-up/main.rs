//! What a cold start costs: the zipped size of each function, and the time from its process's start to its first answer, beside a
//! `lambda_http` function that says hello (`hello-lambda`), in turns. Prints; asserts nothing about speed.
//!
//! `start-up [--binaries <dir>] [<rounds>]`: without a directory, cargo builds them with the release profile.
//!
//! The runtime API is a server of this program's, and so are the services that a function calls before its first answer (its secrets, a
//! cluster's record): they answer at once, over plain HTTP. So the times hold what the calls cost the function, and no network, no TLS
//! handshake, and no fetching of the code, which goes with its size.
#![allow(clippy::unwrap_used)]

mod binaries;
mod events;
mod runtime_api;
mod services;

use faregate_aws_tests::functions::FUNCTIONS;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HELLO: &str = "hello-lambda";
const ROUNDS: usize = 20;

#[tokio::main]
async fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut directory = None;
    if args.first().is_some_and(|arg| arg == "--binaries") && args.len() > 1 {
        directory = Some(PathBuf::from(args.remove(1)));
        args.remove(0);
    }
    let rounds = match args.as_slice() {
        [] => ROUNDS,
        [rounds] => rounds.parse().unwrap_or_else(|_| usage(rounds)),
        [_, other, ..] => usage(other),
    };
    let binaries = binaries::find(directory.as_deref());
    sizes(&binaries);
    let unpacked = tempfile::tempdir().unwrap();
    times(&binaries::unpacked(&binaries, unpacked.path()), rounds.max(1)).await;
}

fn usage(argument: &str) -> ! {
    eprintln!("`{argument}` is not understood: start-up [--binaries <dir>] [<rounds>]");
    std::process::exit(2);
}

fn sizes(binaries: &BTreeMap<String, PathBuf>) {
    let hello = binaries::zipped(&binaries[HELLO]);
    println!("zipped size (deflate, without symbols)");
    println!("    {HELLO:<12} {:>6.2} MB", megabytes(hello));
    for function in FUNCTIONS {
        let size = binaries::zipped(&binaries[function]);
        println!("    {function:<12} {:>6.2} MB  {:.2} times", megabytes(size), size as f64 / hello as f64);
    }
}

/// Each function in turns with the hello: what else the machine does falls on both.
async fn times(binaries: &BTreeMap<String, PathBuf>, rounds: usize) {
    let services = services::start().await;
    let start = async |name: &str| runtime_api::first_answer(name, &binaries[name], &services).await;
    println!("start to first answer (median of {rounds}), and hello's beside it");
    for function in FUNCTIONS {
        // what is read from the disk once is not read again
        start(HELLO).await;
        start(function).await;
        let (mut ours, mut hellos) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            hellos.push(start(HELLO).await);
            ours.push(start(function).await);
        }
        let (ours, hello) = (median(ours), median(hellos));
        let times = ours.as_secs_f64() / hello.as_secs_f64();
        println!("    {function:<12} {:>6.1} ms  {:>6.1} ms  {times:.2} times", millis(ours), millis(hello));
    }
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort();
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A program that this one needs went well.
fn ran(command: &mut std::process::Command, what: &Path) -> Vec<u8> {
    let output = command.stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?} fails for `{}`", what.display());
    output.stdout
}
