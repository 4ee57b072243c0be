//! The seeded world on AWS's adapters.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::inside::served::{Served, heartbeat, scheduler_address};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::wire::{Faults, counted};
use faregate_aws_tests::world::run_many;
use faregate_core::model::SafetySwitches;

/// `FAREGATE_AWS_WORLDS` sets another number.
fn worlds() -> u64 {
    std::env::var("FAREGATE_AWS_WORLDS").map_or(6, |n| n.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_on_aws_keep_every_promise() {
    let outcomes = run_many(&Ministack::start(), 1..worlds() + 1, SafetySwitches::default(), 2).await;
    let mut told = String::new();
    for outcome in &outcomes {
        println!("seed {}: {:?}", outcome.seed, outcome.stats);
        if !outcome.broken.is_empty() {
            let (seed, broken) = (outcome.seed, outcome.broken.join("\n  "));
            told +=
                &format!("seed {seed}: {broken}\n  alone: cargo run -p faregate-aws-tests --bin aws-world -- {seed}\n");
        }
    }
    assert!(told.is_empty(), "worlds broke a promise:\n{told}");
    let heartbeats: u32 = outcomes.iter().map(|outcome| outcome.stats.heartbeats).sum();
    let created: u32 = outcomes.iter().map(|outcome| outcome.stats.created).sum();
    let refused: u32 = outcomes.iter().map(|outcome| outcome.stats.refused).sum();
    assert!(heartbeats > 0 && created > 0 && refused > 0, "nothing happened: {heartbeats}, {created}, {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_and_a_heartbeat_that_meet_transactions_are_taken_all_the_same() {
    let ministack = Ministack::start();
    let inside = Inside::start(&ministack, Options { reconcilers: 0, ..Options::default() }).await;
    let served = Served::new(&inside);
    let name = served.running(&inside, "alice").await;
    let body = heartbeat(&scheduler_address(&inside.ecs, &name).await, 0, &[]);
    inside.aws.set(Faults { seed: 1, conflicts: 50, ..Faults::default() });
    inside.aws.take();
    for _ in 0..5 {
        served.heartbeat(&inside, &name, &body).await;
    }
    assert_eq!(served.call("DELETE", name.as_str()).basic("alice").send().await.status, 204);
    let updates = counted(&inside.aws.take())["dynamodb:UpdateItem"];
    assert!(updates > 6, "{updates}: none met a transaction");
}
