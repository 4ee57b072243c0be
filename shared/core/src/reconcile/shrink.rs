//! A limit that was lowered under what runs: nothing more is started; the scheduler has a while to retire workers; then the newest go.

use super::changes::Changes;
use crate::model::{Reason, ReasonCode, Shrink, Status, TaskId, TaskRole};
use crate::safety_rule;

impl Shrink {
    pub(super) fn why(&self) -> Reason {
        Reason { code: ReasonCode::LimitLowered, ..self.reason.clone() }
    }
}

/// Stops what is too much once the scheduler has had its time, and forgets the matter once what is reserved for the cluster is within the
/// limit: what was told to stop counts until it is gone.
pub(super) fn apply(changes: &mut Changes) {
    let Some(shrink) = changes.cluster.shrink.clone() else { return };
    let stop_at = shrink.since + changes.policy.retire_ms;
    if changes.now < stop_at {
        changes.schedule_recheck(stop_at);
    } else if shrink.end {
        changes.cluster.end(Status::Stopped, shrink.why(), changes.now);
    } else if safety_rule!(changes.policy, shrink_newest) {
        stop_newest(changes, i64::from(shrink.keep), &shrink.reason.message);
    }
    if !shrink.end && changes.reserved().workers <= i64::from(shrink.keep) {
        changes.cluster.shrink = None;
        changes.cluster.waiting.take_if(|why| why.code == ReasonCode::LimitLowered);
    }
}

/// The most workers that a lowered limit lets the cluster keep.
pub(super) fn most_workers(changes: &Changes) -> i64 {
    let most = |shrink: &Shrink| if shrink.end { 0 } else { i64::from(shrink.keep) };
    changes.cluster.shrink.as_ref().map_or(i64::MAX, most)
}

/// While a limit is lowered, it is what the cluster waits for, unless something else keeps even what is allowed from starting.
pub(super) fn say_so(changes: &mut Changes) {
    let Some(shrink) = &changes.cluster.shrink else { return };
    let other = |code| {
        matches!(
            code,
            ReasonCode::WaitingForCapacity
                | ReasonCode::WaitingForPermissions
                | ReasonCode::Throttled
                | ReasonCode::Frozen
                | ReasonCode::Budget
        )
    };
    if !changes.cluster.waiting.as_ref().is_some_and(|why| other(why.code)) {
        changes.cluster.waiting = Some(shrink.why());
    }
}

/// Those that the scheduler is retiring first, then the youngest.
fn stop_newest(changes: &mut Changes, keep: i64, message: &str) {
    let staying = changes.may_run(TaskRole::Worker).filter(|t| t.stopping.is_none());
    let mut staying: Vec<(bool, i64, TaskId)> =
        staying.map(|t| (t.leaving, t.facts.accepted_at, t.facts.id.clone())).collect();
    staying.sort();
    let excess = (staying.len() as i64 - keep).max(0) as usize;
    let newest = staying.into_iter().rev().take(excess).map(|(_, _, id)| id).collect();
    changes.request_stops(newest, &Reason::new(ReasonCode::LimitLowered, message));
}
