//! Why nothing new is started for now, and when that is looked at again.

use super::changes::Changes;
use crate::model::{Reason, ReasonCode, Shrink};

/// Why nothing new may start at all: the user is frozen, or has limits that nobody can read, or has spent their budget, or the cluster is
/// to end.
pub(super) fn launch_blocker(changes: &Changes) -> Option<Reason> {
    if let Some(frozen) = &changes.snapshot.limits.frozen {
        return Some(Reason::new(ReasonCode::Frozen, frozen.value.clone()));
    }
    if let Some(unreadable) = changes.snapshot.limits.unreadable() {
        return Some(unreadable);
    }
    let ends = || changes.cluster.shrink.as_ref().filter(|shrink| shrink.end).map(Shrink::why);
    changes.snapshot.spent.clone().or_else(ends)
}

/// Nothing is started, and why: looked at again after a while.
pub(super) fn defer_launch(changes: &mut Changes, why: Reason) {
    changes.cluster.waiting = Some(why);
    let again = changes.now + changes.policy.room_retry_ms;
    let at = changes.cluster.next_try.filter(|at| *at > changes.now).unwrap_or(again);
    changes.cluster.next_try = Some(at);
    changes.schedule_recheck(at);
}

/// So many workers are missing, for want of room under a limit. Where that may change by itself, it is looked at again after a while.
pub(super) fn wait_for_headroom(changes: &mut Changes, message: String, missing: i64, may_change: bool) {
    let why = Reason::new(ReasonCode::WaitingForRoom, message).with("missing", missing);
    if may_change {
        defer_launch(changes, why);
    } else {
        changes.cluster.next_try = None;
        changes.cluster.waiting = Some(why);
    }
}

/// Doubles with each failure, up to 64 times.
pub(super) fn backoff(base: i64, failures: u32) -> i64 {
    base << failures.saturating_sub(1).min(6)
}
