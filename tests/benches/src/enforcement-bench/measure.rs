//! One size, measured.

use crate::process::{cpu_seconds, forget_peak, peak, resident};
use faregate_core::model::{ClusterName, Ms};
use faregate_core::ports::Host;
use faregate_machine::now;
use faregate_sqlite::SqliteStore;
use faregate_tests::crowd::{Counted, Counts, Crowd, IDLE_TIMEOUT_MS, PERIOD_MS, fill};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// So many runs may be needed until every scheduler was asked for the first time.
const MOST_RUNS: usize = 20;

/// What runs over so many clusters came to.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    /// How many clusters.
    pub clusters: usize,
    /// The first runs of all, until every scheduler was asked once: they remember limits that they see for the first time.
    pub first: Vec<Run>,
    /// One in which every scheduler is to be asked.
    pub all_due: Run,
    /// The next one, a minute later.
    pub next: Run,
}

/// One run.
#[derive(Serialize, Deserialize)]
pub struct Run {
    /// How long it took.
    pub seconds: f64,
    /// In how much of that it waited for schedulers' answers.
    pub waited: f64,
    /// CPU seconds.
    pub cpu: f64,
    /// Peak of resident memory beyond what was resident before the first run, in bytes.
    pub memory: u64,
    /// What it read and wrote.
    pub counts: Counts,
    /// Wakes sent.
    pub wakes: usize,
    /// Schedulers asked whether they are idle.
    pub asked: usize,
    /// Of these, who left the question unanswered.
    pub unanswered: usize,
    /// Questions that it left to the next run.
    pub left: usize,
    /// The longest that the question to a scheduler which then answered was overdue, in seconds, since a run first could have asked it.
    pub delay: f64,
}

/// Writes the records of so many clusters into a store.
pub async fn write(clusters: usize, store: &Path, schedulers: &[SocketAddr]) {
    let store = SqliteStore::open(store).unwrap();
    fill(&store, &Crowd { clusters, schedulers: schedulers.to_vec(), now: now() }).await;
}

/// Lets runs go over them.
pub async fn measure(clusters: usize, store: &Path) -> Measured {
    let since = now() - PERIOD_MS;
    let mut runs = Runs {
        gateway: Counted::new(Arc::new(SqliteStore::open(store).unwrap())),
        since,
        first: now(),
        due: BTreeMap::new(),
        resident: resident(),
    };
    let mut first = vec![runs.one().await];
    while first.last().is_some_and(|run| run.left > 0) && first.len() < MOST_RUNS {
        first.push(runs.one().await);
    }
    runs.gateway.advance_until_all_are_due();
    // earlier, there were no runs
    let now = runs.gateway.clock.now();
    runs.due.values_mut().for_each(|due| *due = now);
    let all_due = runs.one().await;
    let next = runs.one().await;
    Measured { clusters, first, all_due, next }
}

struct Runs {
    gateway: Counted,
    since: Ms,
    first: Ms,
    /// When an answer can matter again, of each scheduler that answered.
    due: BTreeMap<ClusterName, Ms>,
    /// Resident memory before the first of them.
    resident: u64,
}

impl Runs {
    /// One run, and its minute.
    async fn one(&mut self) -> Run {
        let gateway = &self.gateway;
        let wakes = gateway.wakes.sent();
        let (begins, at, cpu) = (Instant::now(), gateway.clock.now(), cpu_seconds());
        forget_peak();
        let report = gateway.enforcer.enforce(self.since).await.unwrap();
        let took = begins.elapsed();
        let (memory, cpu) = (peak().saturating_sub(self.resident), cpu_seconds() - cpu);
        gateway.clock.advance((PERIOD_MS - took.as_millis() as Ms).max(0));
        let questions = gateway.schedulers.take();
        let mut delay = 0;
        for (cluster, asked) in questions.idle.iter().filter(|(cluster, _)| !questions.unanswered.contains(cluster)) {
            let asked = at + asked.duration_since(begins).as_millis() as Ms;
            let due = self.due.insert(cluster.clone(), asked + IDLE_TIMEOUT_MS).unwrap_or(self.first);
            delay = delay.max(asked - due);
        }
        Run {
            seconds: took.as_secs_f64(),
            waited: questions.waited.as_secs_f64(),
            cpu,
            memory,
            counts: gateway.store.take(),
            wakes: gateway.wakes.sent() - wakes,
            asked: questions.idle.len(),
            unanswered: questions.unanswered.len(),
            left: report.unasked,
            delay: delay as f64 / 1000.0,
        }
    }
}
