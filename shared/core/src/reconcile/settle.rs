//! What follows from the records alone: launches whose tasks are known, or whose window is over; tasks that no launch vouches for; tasks
//! at rest, which give back what they reserved and are billed.

use super::changes::Changes;
use super::cost;
use super::launch::Event;
use crate::model::{LaunchId, LaunchState, Reason, ReasonCode, TaskId, TaskState};

/// Launches are accepted and expire; tasks that no launch vouches for are told to stop.
pub(super) fn settle_launches(changes: &mut Changes) {
    let (now, policy) = (changes.now, changes.policy);
    let ids: Vec<LaunchId> = changes.launches().map(|l| l.id.clone()).collect();
    for id in ids {
        let known = changes.known_tasks(&id);
        let is_known = changes.launch(&id).is_some_and(|l| l.state.is_open() && known >= l.spec.count);
        if is_known {
            // the tasks of a cancelled launch are told to stop before it counts as accepted
            stop_unwanted(changes);
        }
        if let Some(launch) = changes.launch_mut(&id) {
            if is_known {
                launch.advance(Event::TasksKnown, now);
            } else {
                launch.expire(now, policy);
            }
        }
    }
    stop_unwanted(changes);
}

/// Tells the tasks of cancelled launches to stop, and orphans: tasks of launches that are closed without them.
fn stop_unwanted(changes: &mut Changes) {
    let mut unwanted: Vec<(TaskId, bool)> = Vec::new();
    for task in changes.tasks().filter(|t| t.may_run() && t.stopping.is_none()) {
        let state = changes.launch(&task.facts.launch).map(|l| l.state);
        let orphan = task.orphan || matches!(state, None | Some(LaunchState::Failed | LaunchState::NotAccepted));
        if orphan || state == Some(LaunchState::Cancelled) {
            unwanted.push((task.facts.id.clone(), orphan));
        }
    }
    let now = changes.now;
    for (id, orphan) in unwanted {
        if let Some(task) = changes.task_mut(&id) {
            task.orphan |= orphan;
            let message = "it belongs to a launch that was given up";
            task.request_stop(Reason::new(ReasonCode::NotWanted, message), now);
        }
    }
}

/// Tasks at rest give back what they reserved and are billed, once; then they, and launches that are through, may be forgotten in time.
/// What a settled task is found to have used besides is billed too.
pub(super) fn settle_tasks(changes: &mut Changes) {
    let (now, keep_until) = (changes.now, changes.now + changes.policy.keep_records_ms);
    let mut left = changes.changes_left();
    for task in changes.tasks_mut().filter(|t| t.facts.state != TaskState::Stopped) {
        task.expires_at = None;
    }
    let mut settled: Vec<(TaskId, bool)> = Vec::new();
    for task in changes.tasks().filter(|t| !t.may_run()) {
        let settles = task.may_settle(changes.launch(&task.facts.launch));
        if settles || (task.settled && !cost::unbilled(changes, task).is_empty()) {
            settled.push((task.facts.id.clone(), settles));
        }
    }
    for (id, settles) in settled {
        if left == 0 {
            return;
        }
        left -= 1;
        if let Some(task) = changes.task_mut(&id).filter(|_| settles) {
            task.settle(now, keep_until);
        }
        changes.bill(&id);
    }
    let is_through = |id: &LaunchId| !changes.tasks().any(|t| t.facts.launch == *id && !t.settled);
    let through = changes.launches().filter(|l| !l.state.is_open() && l.expires_at.is_none() && is_through(&l.id));
    let through: Vec<LaunchId> = through.map(|l| l.id.clone()).take(left).collect();
    for id in through {
        if let Some(launch) = changes.launch_mut(&id) {
            launch.expires_at = Some(keep_until);
        }
    }
}
