//! How workers failed to start, told at once: while it is judged, and while others are tried.

use super::draft::Draft;
use super::scheduler::how;
use crate::model::{Launch, Ms, Reason, ReasonCode, Task, TaskRole};

impl Draft<'_> {
    /// Keeps the last failure in the record until a worker connects. One that ended before it connected counts here before it is
    /// judged: the heartbeat that names it may still be on its way.
    pub fn tell_start_failures(&mut self) {
        let workers = self.tasks.iter().map(|t| &t.now).filter(|t| t.facts.role == TaskRole::Worker && !t.stray);
        let workers: Vec<&Task> = workers.filter(|t| t.registered_at.is_none() && !t.facts.capacity_lost).collect();
        let unjudged = |t: &Task| !t.may_run() && !t.failed_start && t.stopping.is_none();
        let tries = self.cluster.worker_failures + workers.iter().filter(|t| unjudged(t)).count() as u32;
        if tries == 0 {
            self.cluster.start_failure = None;
            return;
        }
        let failed = workers.iter().filter(|t| t.failed_start || unjudged(t)).map(|t| failure(t));
        let rejected = self.launches.iter().filter_map(|l| rejection(&l.now));
        let Some((_, last)) = failed.chain(rejected).max_by_key(|(at, _)| *at) else { return };
        let limit = self.policy.worker_start_failure_limit;
        let tries = tries.min(limit);
        let message = format!("{tries} of {limit} tries to start a worker failed; the last: {last}");
        let reason = Reason::new(ReasonCode::WorkerStarting, message).with("failures", tries.into());
        self.cluster.start_failure = Some(reason);
    }
}

/// When a worker failed to start, and how.
fn failure(task: &Task) -> (Ms, String) {
    let at = task.facts.stopped_at.unwrap_or(task.facts.accepted_at);
    match &task.stopping {
        Some(why) => (at, why.message.clone()),
        None => (at, format!("a worker ended before it connected{}", how(Some(task)))),
    }
}

fn rejection(launch: &Launch) -> Option<(Ms, String)> {
    let outcome = launch.outcome.as_ref().filter(|o| o.code == ReasonCode::LaunchRejected)?;
    (launch.spec.role == TaskRole::Worker).then(|| (launch.created_at, outcome.message.clone()))
}
