//! Kills by injection: a gateway is killed before and after its calls of store, wakes and launcher, while a cluster is created,
//! scaled, its workers restarted, and stopped; and while a gateway starts, with nothing there and over a running cluster. It is
//! started again, and whatever it was doing comes to its right end: no orphan process, no stuck record, nothing started twice.
//!
//! First an undisturbed life is recorded; then its calls are cut off in turn, each in a gateway of its own, several at a time: in
//! each phase the first eight of each call that changes something, and the first three of each that only reads (to be killed before and
//! after those is the same for the world outside).
//!
//! The schedulers and workers are light ones, so that a life takes seconds: the real dask is covered in `client.rs`.
//! `KILLS_ONLY=scale:launcher.launch:1:after` runs one point alone (several are separated by commas).
#![allow(clippy::unwrap_used)]

use faregate_tests::killing::gateway::{Gateway, Programs};
use faregate_tests::killing::{Point, When, life, verdict};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

/// Gateways at once.
const AT_ONCE: usize = 6;
/// Calls that only read.
const READING: [&str; 13] = [
    "store.cluster",
    "store.clusters",
    "store.children",
    "store.task",
    "store.heartbeats",
    "store.usage",
    "store.limits",
    "store.ledger",
    "store.audits",
    "store.active",
    "launcher.describe",
    "launcher.list_launch",
    "launcher.list",
];
const AGAIN: &str = "again";

fn programs() -> Programs {
    Programs { killable: env!("CARGO_BIN_EXE_killable").into(), dask: env!("CARGO_BIN_EXE_light-dask").into() }
}

#[test]
fn a_gateway_killed_at_any_call_leaves_no_orphan_and_no_stuck_record() {
    let points = match std::env::var("KILLS_ONLY") {
        Ok(only) => only.split(',').map(|point| point.parse().unwrap()).collect(),
        Err(_) => points(&record()),
    };
    println!("{} points, {AT_ONCE} at once", points.len());
    let started = Instant::now();
    let (queue, outcomes) = (Mutex::new(points.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let next = || queue.lock().unwrap().next();
                while let Some(point) = next() {
                    let outcome = run(point);
                    if outcome.is_err() {
                        println!("KILLS_ONLY={point} failed");
                    }
                    outcomes.lock().unwrap().push((point, outcome));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let missed: Vec<String> =
        outcomes.iter().filter(|(_, hit)| *hit == Ok(false)).map(|(point, _)| point.to_string()).collect();
    println!(
        "{} points in {:.0?}, of which {} were not come by: {missed:?}",
        points.len(),
        started.elapsed(),
        missed.len()
    );
    let failed: Vec<String> = outcomes
        .iter()
        .filter_map(|(point, hit)| Some(format!("KILLS_ONLY={point}: {}", hit.as_ref().err()?)))
        .collect();
    assert!(failed.is_empty(), "{} points failed; each can be run alone:\n\n{}", failed.len(), failed.join("\n\n"));
    // which of two calls comes first, or whether a pass falls into a phase, is chance; most points are met all the same
    assert!(missed.len() * 5 <= points.len(), "more than a fifth of the points were not come by: {missed:?}");
}

/// The calls of a life that nothing disturbs, a restart of the gateway in its middle apart.
fn record() -> String {
    let mut gateway = Gateway::start(&programs(), None);
    let never = Point { phase: AGAIN.into(), call: String::new(), nth: 0, when: When::Before };
    let name = life::live(&gateway, Some(&never));
    verdict::check(&mut gateway, &name);
    gateway.trace()
}

fn points(trace: &str) -> Vec<Point> {
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for call in trace.lines().filter_map(|line| line.split_once(' ')) {
        *counts.entry(call).or_default() += 1;
    }
    let left_out: Vec<String> = counts
        .iter()
        .filter(|((_, call), n)| **n > most(call))
        .map(|((phase, call), n)| format!("{phase}:{call} {n}"))
        .collect();
    println!("a life makes {} calls; not all are cut off of {left_out:?}", counts.values().sum::<u32>());
    let mut points = Vec::new();
    for ((phase, call), count) in counts {
        for nth in 1..=count.min(most(call)) {
            let point = |when| Point { phase: phase.to_owned(), call: call.to_owned(), nth, when };
            points.extend([When::Before, When::After].map(point));
        }
    }
    points
}

/// How many of a call of each phase are cut off.
fn most(call: &str) -> u32 {
    if READING.contains(&call) { 3 } else { 8 }
}

/// Whether a gateway came by the point; or what went wrong.
fn run(point: &Point) -> Result<bool, String> {
    let in_again = point.phase == AGAIN;
    let mut gateway = Gateway::start(&programs(), Some(point.clone()).filter(|_| !in_again));
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let name = life::live(&gateway, Some(point).filter(|_| in_again));
        let deaths = gateway.deaths();
        verdict::check(&mut gateway, &name);
        deaths
    }));
    match lived {
        Ok(deaths) => Ok(deaths > u32::from(in_again)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let log = gateway.log();
            let last: Vec<&str> = log.lines().rev().take(30).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            Err(format!("{}\n{}", text.unwrap_or_default(), last.join("\n")))
        }
    }
}
