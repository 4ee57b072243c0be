//! Lives seeded worlds on AWS's adapters: `aws-world 17` lives one, `aws-world 1..30` many; those that broke a promise are named;
//! `aws-world 1..30 sole_call` does so with a safety rule taken away.
//! `RUST_LOG=faregate=debug,faregate_aws_tests=debug` tells what happens.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::world::run_many;
use faregate_core::model::SafetySwitches;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let what = std::env::args().nth(1).unwrap_or_default();
    let (from, to) = what.split_once("..").unwrap_or((&what, ""));
    let Ok(from) = from.parse() else {
        eprintln!("usage: aws-world SEED | FROM..TO [RULE TO TAKE AWAY]…");
        return ExitCode::from(2);
    };
    let to = to.parse().unwrap_or(from + 1);
    let mut switches = SafetySwitches::default();
    for name in std::env::args().skip(2) {
        if !switches.take_away(&name) {
            eprintln!("no rule `{name}`; there are {}", SafetySwitches::NAMES.join(", "));
            return ExitCode::from(2);
        }
    }
    let outcomes = run_many(&Ministack::start(), from..to, switches, 2).await;
    for outcome in &outcomes {
        println!("seed {}: {:?}", outcome.seed, outcome.stats);
        outcome.broken.iter().for_each(|broken| println!("  BROKEN {broken}"));
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.broken.is_empty()).count();
    println!("{failed} of {} worlds broke a promise", outcomes.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
