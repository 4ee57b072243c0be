//! How tasks failed to start, told at once: while it is being decided, and while others are tried.

use super::changes::Changes;
use crate::model::{Launch, Ms, Reason, ReasonCode, Task, TaskRole};

/// Keeps the last failure of a worker in the record until one connects. One that ended before it connected counts here before it is
/// decided: the heartbeat that names it may still be on its way.
pub(super) fn tell(changes: &mut Changes) {
    let workers = changes.tasks_of(TaskRole::Worker).filter(|t| !t.orphan);
    let workers: Vec<&Task> = workers.filter(|t| t.registered_at.is_none() && !t.facts.capacity_lost).collect();
    let undecided = |t: &Task| !t.may_run() && !t.failed_start && t.stopping.is_none();
    let tries = changes.cluster.worker_failures + workers.iter().filter(|t| undecided(t)).count() as u32;
    if tries == 0 {
        changes.cluster.start_failure = None;
        return;
    }
    let failed = workers.iter().filter(|t| t.failed_start || undecided(t)).map(|t| failure(t));
    let rejected = changes.launches().filter_map(rejection);
    let Some((_, last)) = failed.chain(rejected).max_by_key(|(at, _)| *at) else { return };
    let limit = changes.policy.worker_start_failure_limit;
    let tries = tries.min(limit);
    let message = format!("{tries} of {limit} tries to start a worker failed; the last: {last}");
    let reason = Reason::new(ReasonCode::WorkerStarting, message).with("failures", tries.into());
    changes.cluster.start_failure = Some(reason);
}

/// When a worker failed to start, and how.
fn failure(task: &Task) -> (Ms, String) {
    let at = task.facts.stopped_at.unwrap_or(task.facts.accepted_at);
    match &task.stopping {
        Some(why) => (at, why.message.clone()),
        None => (at, format!("a worker ended before it connected{}", how_it_ended(task))),
    }
}

fn rejection(launch: &Launch) -> Option<(Ms, String)> {
    let outcome = launch.outcome.as_ref().filter(|o| o.code == ReasonCode::LaunchRejected)?;
    (launch.spec.role == TaskRole::Worker).then(|| (launch.created_at, outcome.message.clone()))
}

/// `: exit code 1: <last line>`, as much of it as is known.
pub(super) fn how_it_ended(task: &Task) -> String {
    let facts = &task.facts;
    let mut text = String::new();
    match (&facts.stop_reason, facts.exit_code) {
        (Some(why), _) => text = format!(": {why}"),
        (None, Some(code)) => text = format!(": exit code {code}"),
        (None, None) => {}
    }
    if let Some(line) = facts.last_lines.iter().rev().find(|l| !l.trim().is_empty()) {
        text += &format!(": {}", line.trim());
    }
    text
}
