//! Where a cluster's tasks are launched, and how fast: in the next place after one had no capacity, on demand for a while after Spot had
//! none, and at the launcher's own rate, for what is asked of it sooner is refused and asked again.

use super::changes::Changes;
use super::deferral::backoff;
use crate::model::{Ms, Reason, ReasonCode, TaskRole};
use std::collections::BTreeSet;

/// There was no capacity: on demand at once where it was Spot's that ran out, else after a while, in the next place.
pub(super) fn try_elsewhere(changes: &mut Changes, spot: bool, message: String) {
    let (now, policy) = (changes.now, changes.policy);
    let cluster = &mut changes.cluster;
    if spot {
        cluster.spot_after = Some(now + policy.spot_retry_ms);
    } else {
        cluster.place = cluster.place.wrapping_add(1);
        cluster.waiting = Some(Reason::new(ReasonCode::WaitingForCapacity, message));
        // spread, so that clusters that met the same lack do not all come back at once
        let retry = policy.launch_retry_ms;
        cluster.next_try = Some(now + retry + i64::from(cluster.launches % 7) * retry / 7);
    }
}

/// A task that was accepted lost its place, or was never started: elsewhere, and the later, the more often in a row that has happened. Each try
/// may be billed.
pub(super) fn try_again_later(changes: &mut Changes, role: TaskRole, spot: bool, message: String) {
    try_elsewhere(changes, spot, message);
    let came_up = changes.tasks_of(role).filter_map(|t| t.facts.started_at).max();
    let lost = changes.tasks_of(role).filter(|t| t.facts.lost_to_platform && t.facts.started_at.is_none());
    let since = lost.filter(|t| Some(t.facts.accepted_at) > came_up).map(|t| &t.facts.launch);
    let n = since.collect::<BTreeSet<_>>().len() as u32;
    let at = changes.now + backoff(changes.policy.start_backoff_ms, n);
    if n > 0 && !spot {
        changes.cluster.next_try = changes.cluster.next_try.max(Some(at));
    }
}

/// Are workers to be started on Spot capacity now?
pub(super) fn may_use_spot(changes: &Changes) -> bool {
    changes.cluster.config.fargate_spot && changes.cluster.spot_after.is_none_or(|at| changes.now >= at)
}

/// When so many more tasks may be launched. A token bucket: `launch_burst` tasks, of which each launch of the cluster takes its own, and
/// one more in each `launch_task_ms`.
pub(super) fn launch_slot(changes: &Changes, count: u32) -> Ms {
    let each = changes.policy.launch_task_ms;
    let mut taken: Vec<(Ms, Ms)> = changes.launches().map(|l| (l.created_at, i64::from(l.spec.count))).collect();
    taken.sort_unstable();
    // from then on the bucket is full
    let full_at = taken.into_iter().fold(Ms::MIN, |full_at, (at, count)| full_at.max(at) + count * each);
    let spare = changes.policy.launch_burst.saturating_sub(count);
    full_at.saturating_sub(i64::from(spare) * each)
}
