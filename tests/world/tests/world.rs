//! The seeded world, many times over; and what happens to it without each of its rules.

use faregate_core::model::SafetySwitches;
use faregate_core::ports::Store;
use faregate_tests::store_suite::Running;
use faregate_world::{Outcome, World, run_many};
use std::sync::Arc;

fn on_a_still_world(property: impl FnOnce(Arc<dyn Store>) -> Running) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(property(Arc::new(World::still(400_000))));
}

// its store is a store like any other
faregate_tests::store_suite!(on_a_still_world);

/// How many worlds are lived; `FAREGATE_WORLDS` sets another number. `tests/full` lives 20,000, which take some seven minutes of a
/// processor.
fn worlds() -> u64 {
    std::env::var("FAREGATE_WORLDS").map_or(10_000, |n| n.parse().expect("`FAREGATE_WORLDS` is a number"))
}

/// A rule that is taken away must be missed by this seed.
const MISSED_BY: u64 = 20_000;

fn tell(failed: &[Outcome], rule: &str) -> String {
    let lines = failed.iter().take(10).map(|outcome| {
        let (seed, broken) = (outcome.seed, outcome.broken.join("; "));
        format!("seed {seed}: {broken}\n  replay: cargo run -p faregate-world -- {seed} {rule}\n")
    });
    lines.collect()
}

#[test]
fn worlds_keep_every_promise() {
    let failed = run_many(1..worlds() + 1, SafetySwitches::default(), 20);
    assert!(failed.is_empty(), "{} or more worlds broke a promise:\n{}", failed.len(), tell(&failed, ""));
}

#[test]
fn every_safety_rule_is_needed() {
    let mut needless = Vec::new();
    for name in SafetySwitches::NAMES {
        let mut switches = SafetySwitches::default();
        assert!(switches.take_away(name), "{name}");
        match run_many(1..MISSED_BY, switches, 1).first() {
            Some(outcome) => print!("without `{name}`: {}", tell(std::slice::from_ref(outcome), name)),
            None => needless.push(name),
        }
    }
    assert!(needless.is_empty(), "no world of {MISSED_BY} misses {needless:?}");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let once = faregate_world::run(4711, SafetySwitches::default(), false);
    let again = faregate_world::run(4711, SafetySwitches::default(), false);
    assert_eq!(format!("{once:?}"), format!("{again:?}"));
    assert!(once.stats.turns > 10 && once.stats.tasks > 1, "nothing happened: {:?}", once.stats);
}
