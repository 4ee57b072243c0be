//! The seeded world on AWS's adapters.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::world::run_many;

/// `FAREGATE_AWS_WORLDS` sets another number.
fn worlds() -> u64 {
    std::env::var("FAREGATE_AWS_WORLDS").map_or(8, |n| n.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_on_aws_keep_every_promise() {
    let outcomes = run_many(&Ministack::start(), 1..worlds() + 1, 4).await;
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
