//! How tasks failed to start, told at once: while it is being decided, and while others are tried.

use super::changes::Changes;
use super::workers::counted_launches;
use crate::model::{Launch, Ms, Reason, ReasonCode, Task, TaskRole};
use std::collections::BTreeSet;

/// Keeps the last failure of a worker in the record until one connects. One that ended before it connected counts here before it is
/// decided: the heartbeat that names it may still be on its way.
pub(super) fn tell(changes: &mut Changes) {
    let workers = changes.tasks_of(TaskRole::Worker).filter(|t| !t.orphan);
    let workers: Vec<&Task> = workers.filter(|t| t.registered_at.is_none() && !t.facts.lost_to_platform).collect();
    let undecided = |t: &Task| !t.may_run() && !t.failed_start && t.stopping.is_none();
    let counted = counted_launches(changes);
    let more: BTreeSet<_> = workers.iter().filter(|t| undecided(t)).map(|t| &t.facts.launch).collect();
    let tries = changes.cluster.worker_failures + more.iter().filter(|id| !counted.contains(id)).count() as u32;
    if tries == 0 {
        changes.cluster.start_failure = None;
        return;
    }
    let failed = workers.iter().filter(|t| t.failed_start || undecided(t)).map(|t| failure(t));
    let rejected = changes.launches().filter_map(rejection);
    let Some((_, last)) = failed.chain(rejected).max_by_key(|(at, _)| *at) else { return };
    let limit = changes.policy.worker_start_failure_limit;
    let message = if changes.cluster.worker_connected {
        format!(
            "{tries} tries in a row to start a worker failed, and it is tried again: others have connected; the last: {last}"
        )
    } else {
        format!("{} of {limit} tries to start a worker failed; the last: {last}", tries.min(limit))
    };
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

/// What became of a task for which there was no capacity, or which the platform failed to start.
pub(super) fn how_it_was_lost(task: &Task) -> &'static str {
    if task.facts.started_at.is_some() { "lost its place" } else { "was not started" }
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
    if let Some(line) = telling_line(&facts.last_lines) {
        text += &format!(": {line}");
    }
    text
}

/// The last line that says something by itself: Python's fatal errors are followed by `Current thread … (most recent call first):` and
/// its frames, indented.
fn telling_line(lines: &[String]) -> Option<&str> {
    let written = || lines.iter().rev().map(|line| line.trim_end()).filter(|line| !line.is_empty());
    written()
        .find(|line| !line.starts_with(char::is_whitespace) && !line.ends_with(':'))
        .or(written().next())
        .map(str::trim)
}
