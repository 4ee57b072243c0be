//! One size, measured.

use crate::process::{cpu_seconds, forget_peak, peak, resident};
use faregate::machine::now;
use faregate::model::Ms;
use faregate_local::store::SqliteStore;
use faregate_tests::crowd::{Counted, Counts, Crowd, PERIOD_MS, fill};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// So many passes may be needed until every scheduler was asked for the first time.
const MOST_PASSES: usize = 20;

/// What passes over so many clusters came to.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    /// How many clusters.
    pub clusters: usize,
    /// The first passes of all, until every scheduler was asked once: they remember limits that they see for the first time.
    pub first: Vec<Pass>,
    /// One in which every scheduler is to be asked.
    pub all_due: Pass,
    /// The next one, a minute later.
    pub next: Pass,
}

/// One pass.
#[derive(Serialize, Deserialize)]
pub struct Pass {
    /// How long it took.
    pub seconds: f64,
    /// In how much of that it waited for schedulers' answers.
    pub waited: f64,
    /// CPU seconds.
    pub cpu: f64,
    /// Peak of resident memory beyond what was resident at its beginning, in bytes.
    pub memory: u64,
    /// What it read and wrote.
    pub counts: Counts,
    /// Wakes sent.
    pub wakes: usize,
    /// Schedulers asked whether they are idle.
    pub asked: usize,
    /// Of these, who left the question unanswered.
    pub unanswered: usize,
    /// Questions that it left to the next pass.
    pub left: usize,
    /// The longest that a scheduler's idle question was overdue, in seconds.
    pub delay: f64,
}

/// Writes the records of so many clusters, and lets passes go over them.
pub async fn measure(clusters: usize, schedulers: &[SocketAddr]) -> Measured {
    let dir = tempfile::Builder::new().prefix("faregate-pass-bench-").tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&dir.path().join("store.sqlite")).unwrap());
    let begun = now();
    fill(&*store, &Crowd { clusters, schedulers: schedulers.to_vec(), now: begun }).await;
    let gateway = Counted::new(store);
    let since = begun - PERIOD_MS;
    let mut first = vec![one(&gateway, since).await];
    while first.last().is_some_and(|pass| pass.left > 0) && first.len() < MOST_PASSES {
        first.push(one(&gateway, since).await);
    }
    gateway.pass_until_all_are_due();
    let all_due = one(&gateway, since).await;
    let next = one(&gateway, since).await;
    Measured { clusters, first, all_due, next }
}

/// One pass, and its minute.
async fn one(gateway: &Counted, since: Ms) -> Pass {
    let wakes = gateway.wakes.sent();
    let (begins, cpu, before) = (Instant::now(), cpu_seconds(), resident());
    forget_peak();
    let report = gateway.gateway.pass(since).await.unwrap();
    let took = begins.elapsed();
    let (memory, cpu) = (peak().saturating_sub(before), cpu_seconds() - cpu);
    gateway.clock.pass((PERIOD_MS - took.as_millis() as Ms).max(0));
    let questions = gateway.schedulers.take();
    Pass {
        seconds: took.as_secs_f64(),
        waited: questions.waited.as_secs_f64(),
        cpu,
        memory,
        counts: gateway.store.take(),
        wakes: gateway.wakes.sent() - wakes,
        asked: questions.idle.len(),
        unanswered: questions.unanswered.len(),
        left: report.unasked,
        delay: report.idle_delay_ms as f64 / 1000.0,
    }
}
