//! What the promises about calls come to, over the real adapters, an emulator of AWS and a fake ECS with AWS's rates. Prints; asserts
//! nothing about speed.
//!
//! `aws-bench [workers] [heartbeats] [creates] [enforcement]`: all four by default.
#![allow(clippy::unwrap_used)]

mod calls;
mod creates;
mod enforcement;
mod heartbeats;
mod workers;

use fake_ecs::Rates;
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::Ministack;

/// What is measured.
const PARTS: [&str; 4] = ["workers", "heartbeats", "creates", "enforcement"];
/// `ReconcileConcurrency` of the template: so many batches of wakes are taken at once.
const RECONCILERS: usize = 4;
/// So many wakes are in one: `BatchSize` of the template.
const BATCH: i32 = 10;
/// How long ECS takes to answer RunTask, in milliseconds: an estimate, on the slow side.
const RUN_TASK_MS: u64 = 500;
/// How long Fargate takes to give a task its address, and then to pull its image, in milliseconds: estimates.
const PROVISIONING_MS: u64 = 10_000;
const PENDING_MS: u64 = 15_000;

#[tokio::main]
async fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = chosen.iter().find(|name| !PARTS.contains(&name.as_str())) {
        eprintln!("`{unknown}` is none of `{}`", PARTS.join("`, `"));
        std::process::exit(2);
    }
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    if wanted("workers") {
        workers::run().await;
    }
    if wanted("heartbeats") {
        heartbeats::run().await;
    }
    if wanted("creates") {
        creates::run().await;
    }
    if wanted("enforcement") {
        enforcement::run().await;
    }
}

/// A gateway over an emulator of its own, with AWS's rates.
async fn gateway() -> (Ministack, Inside) {
    let ministack = Ministack::start();
    let inside =
        Inside::start(&ministack, Options { reconcilers: RECONCILERS, batch: BATCH, ..Options::default() }).await;
    inside.ecs.turn(|knobs| knobs.rates = Some(Rates::default()));
    (ministack, inside)
}
