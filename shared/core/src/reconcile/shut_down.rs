//! A cluster's end: launches given up, tasks stopped, and only then ended.

use super::Action;
use super::changes::Changes;
use super::launch::Event;
use crate::model::{Reason, ReasonCode, Status, TaskId};
use crate::safety_rule;

/// For a cluster that is to end, or has ended and is found to have tasks.
pub(super) fn shut_down(changes: &mut Changes) {
    changes.heartbeat.accepting = false;
    changes.heartbeat.due_at = None;
    changes.cluster.next_try = None;
    if !changes.cluster.status.is_ended() {
        changes.cluster.status = Status::Stopping;
    }
    let now = changes.now;
    for launch in changes.launches_mut() {
        launch.advance(Event::Unwanted { called: launch.calls > 0 }, now);
    }
    let running = changes.tasks().filter(|t| t.may_run() && t.stopping.is_none());
    let running: Vec<TaskId> = running.map(|t| t.facts.id.clone()).collect();
    changes.request_stops(running, &Reason::new(ReasonCode::ClusterStopping, "its cluster is stopping"));
    if is_at_rest(changes) {
        finish(changes);
    } else {
        changes.cluster.active = true;
    }
}

fn is_at_rest(changes: &Changes) -> bool {
    let running = changes.tasks().any(|t| t.may_run());
    if !safety_rule!(changes.policy, active_until_rest) {
        return !running;
    }
    let open = changes.launches().any(|l| l.state.is_open());
    !running && !open && changes.tasks().all(|t| t.settled)
}

/// At rest: ended, and given back. What was put in place for it is removed now, and once more when no call of ours can land any more that
/// would put it there again; until then it stays in the index of the active.
fn finish(changes: &mut Changes) {
    let now = changes.now;
    let keep_until = now + changes.policy.keep_records_ms;
    let first = !changes.cluster.status.is_ended();
    let stopped_at = *changes.cluster.stopped_at.get_or_insert(now);
    // a caller lives so long, and its last call lands so much later
    let last_landing = stopped_at + 2 * changes.policy.max_call_ms;
    let last = changes.cluster.active && now >= last_landing;
    if first || last {
        changes.before_save(Action::Unpublish);
        changes.before_save(Action::Discard);
    }
    if changes.cluster.active && !last {
        changes.due(last_landing);
    } else {
        changes.cluster.active = false;
    }
    changes.cluster.status = changes.cluster.target;
    changes.cluster.expires_at.get_or_insert(keep_until);
    changes.heartbeat.expires_at.get_or_insert(keep_until);
}
