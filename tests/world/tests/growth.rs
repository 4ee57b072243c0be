//! Clusters that grow to 500 workers while two starts in a hundred fail by nobody's fault, and as many of the workers by their own.

use faregate_core::model::{ReasonCode, SafetySwitches, TaskRole};
use faregate_world::{Outcome, Setup, live};

/// How many worlds are lived; `FAREGATE_GROWTHS` sets another number.
fn worlds() -> u64 {
    std::env::var("FAREGATE_GROWTHS").map_or(5, |n| n.parse().expect("`FAREGATE_GROWTHS` is a number"))
}

fn grow(seed: u64, switches: SafetySwitches, broken_image: Option<TaskRole>) -> Outcome {
    let outcome = live(Setup::growth(seed, switches, broken_image), false);
    println!("seed {seed}: {:?} {:?}", outcome.stats, outcome.ends);
    outcome
}

#[test]
fn starts_that_fail_end_no_cluster() {
    for seed in 1..=worlds() {
        let outcome = grow(seed, SafetySwitches::default(), None);
        assert_eq!((outcome.broken, outcome.ends), (Vec::new(), Vec::new()), "seed {seed}");
        assert_eq!(outcome.stats.connected, 500, "seed {seed}");
        assert!(outcome.stats.failed_starts > 0, "seed {seed}: nothing failed");
    }
}

#[test]
fn an_image_that_is_not_there_ends_a_cluster_at_the_third_try() {
    let ends = [
        (TaskRole::Worker, ReasonCode::WorkerStartFailed, "failures"),
        (TaskRole::Scheduler, ReasonCode::SchedulerStartFailed, "attempts"),
    ];
    for (role, code, tries) in ends {
        for seed in 1..=worlds() {
            let outcome = grow(seed, SafetySwitches::default(), Some(role));
            assert_eq!(outcome.broken, [""; 0], "seed {seed}");
            let [end] = &outcome.ends[..] else { panic!("seed {seed}: {:?}", outcome.ends) };
            assert_eq!((end.code, end.numbers[tries]), (code, 3), "seed {seed}: {}", end.message);
        }
    }
}

#[test]
fn without_the_proof_of_those_that_have_connected_clusters_end() {
    let switches = SafetySwitches { connected_is_proof: false, ..SafetySwitches::default() };
    let ended = (1..=20).find(|seed| !grow(*seed, switches, None).ends.is_empty());
    assert!(ended.is_some(), "nobody misses the rule");
}
