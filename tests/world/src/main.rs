//! Lives seeded worlds: `world 4711` replays one with everything that happens; `world 1..2000` lives many and prints those that
//! broke a promise; `world 1..2000 sole_call` does so with a safety rule taken away.

use faregate_core::model::SafetySwitches;
use faregate_world::{run, run_many};
use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(what) = arguments.first() else {
        eprintln!("usage: world SEED | FROM..TO [RULE TO TAKE AWAY]…");
        return ExitCode::from(2);
    };
    let mut switches = SafetySwitches::default();
    for name in &arguments[1..] {
        if !switches.take_away(name) {
            eprintln!("no rule `{name}`; there are {}", SafetySwitches::NAMES.join(", "));
            return ExitCode::from(2);
        }
    }
    match what.split_once("..") {
        None => match what.parse() {
            Ok(seed) => replay(seed, switches),
            Err(_) => ExitCode::from(2),
        },
        Some((from, to)) => match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => many(from..to, switches),
            _ => ExitCode::from(2),
        },
    }
}

fn replay(seed: u64, switches: SafetySwitches) -> ExitCode {
    let outcome = run(seed, switches, true);
    println!("{:?}", outcome.stats);
    for broken in &outcome.broken {
        println!("BROKEN {broken}");
    }
    if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(seeds: std::ops::Range<u64>, switches: SafetySwitches) -> ExitCode {
    let started = std::time::Instant::now();
    let total = seeds.end.saturating_sub(seeds.start);
    let failed = run_many(seeds, switches, usize::MAX);
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for outcome in &failed {
        for broken in &outcome.broken {
            let kind = broken.split(": ").next().unwrap_or_default().to_owned();
            let seeds = kinds.entry(kind).or_default();
            if seeds.last() != Some(&outcome.seed) {
                seeds.push(outcome.seed);
            }
        }
    }
    for (kind, seeds) in &kinds {
        println!("{:>6} {kind}: seeds {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} of {total} worlds broke a promise; {:.1} ms a world",
        failed.len(),
        seconds * 1000.0 / total.max(1) as f64
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
