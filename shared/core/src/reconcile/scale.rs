//! As many workers as are wanted, and no more than there is room for.

use super::changes::Changes;
use super::deferral::{defer_launch, launch_blocker, wait_for_headroom};
use super::launch::Event;
use super::spec::{worker_spec, write_launch};
use super::{placement, shrink};
use crate::limits::headroom::{self, cap};
use crate::model::{Launch, LaunchId, LaunchState, Reason, ReasonCode, Status, TaskId, TaskRole};

/// Starts what is missing, stops what nobody wants any more and the scheduler does not know.
pub(super) fn to_wanted(changes: &mut Changes) {
    if changes.cluster.status != Status::Running {
        return;
    }
    let asked = i64::from(changes.cluster.count);
    let cap = cap(&changes.cluster, &changes.snapshot.limits);
    let cap_workers = cap.as_ref().map_or(i64::MAX, |cap| i64::from(cap.workers));
    let wanted = asked.min(cap_workers).min(shrink::most_workers(changes));
    // workers that a launch which is still wanted may bring
    let have = counted(changes) + open_slots(changes, |state| state != LaunchState::Cancelled);
    let may_exist = changes.may_run(TaskRole::Worker).count() as i64 + open_slots(changes, |_| true);
    let wait = if asked - have == 1 { "waits" } else { "wait" };
    let short = format!("{have} of {asked} workers are running or on the way; {} {wait}", asked - have);
    if wanted > have {
        launch(changes, wanted - have, cap_workers - may_exist, &short);
    } else if let Some(cap) = cap.filter(|_| asked > have && have >= cap_workers) {
        let message = format!("{short}: the limit {} allows it {} ({may_exist} in use)", cap.limit, cap.workers);
        wait_for_headroom(changes, message, asked - have, cap.by_admin);
        drop_excess(changes, have - wanted, have - asked);
    } else {
        changes.cluster.waiting = None;
        changes.cluster.next_try = None;
        drop_excess(changes, have - wanted, have - asked);
    }
    shrink::say_so(changes);
}

/// The workers that count towards the wanted number. One that ended unconnected is replaced once it is known why, so that a broken command
/// does not start a storm.
fn counted(changes: &Changes) -> i64 {
    let workers = changes.tasks_of(TaskRole::Worker).filter(|t| t.stopping.is_none() && !t.orphan);
    let counts = |t: &&_| {
        let task: &crate::model::Task = t;
        if task.may_run() { !task.leaving } else { task.registered_at.is_none() && !task.failed_start }
    };
    workers.filter(counts).count() as i64
}

/// Workers of open launches that are not known yet.
fn open_slots(changes: &Changes, which: impl Fn(LaunchState) -> bool) -> i64 {
    let is_open = |l: &&Launch| l.spec.role == TaskRole::Worker && l.state.is_open() && which(l.state);
    let launches = changes.launches().filter(is_open);
    launches.map(|l| i64::from(l.spec.count) - i64::from(changes.known_tasks(&l.id))).sum()
}

fn launch(changes: &mut Changes, missing: i64, left_in_cluster: i64, short: &str) {
    if let Some(at) = changes.cluster.next_try.filter(|at| *at > changes.now) {
        return changes.schedule_recheck(at);
    }
    if let Some(why) = launch_blocker(changes) {
        return defer_launch(changes, why);
    }
    let unit = changes.cluster.config.worker_unit();
    let usage = changes.snapshot.usage.iter().map(|usage| &usage.value);
    let headroom = headroom::tightest(usage, changes.reserved_delta(), &changes.snapshot.limits, unit);
    let count = missing
        .min(left_in_cluster)
        .min(headroom.as_ref().map_or(i64::MAX, |headroom| headroom.workers))
        .min(i64::from(changes.policy.tasks_per_launch));
    if count <= 0 {
        let message = match headroom.filter(|headroom| headroom.workers <= 0) {
            Some(headroom) => format!("{short} for room: the limit {}", headroom.full),
            None => format!("{short} until others of the cluster are gone"),
        };
        return wait_for_headroom(changes, message, missing, true);
    }
    if changes.changes_left() == 0 {
        return changes.due(changes.now);
    }
    let slot = placement::launch_slot(changes, count as u32);
    if slot > changes.now {
        return changes.schedule_recheck(slot);
    }
    let Some(addresses) = changes.cluster.addresses else { return };
    let tasks = (count as u32, placement::may_use_spot(changes));
    let (listen, api_url) = (&changes.snapshot.listen, &changes.snapshot.api_url);
    let spec = worker_spec(&changes.cluster, tasks, addresses.scheduler, listen, api_url);
    changes.cluster.waiting = None;
    write_launch(changes, spec, unit);
}

/// Launches that were not called yet, beyond what may be; then workers that never connected, youngest first, beyond what the scheduler
/// asks for: under a limit it counts on those that no heartbeat has named yet. The others are the scheduler's to retire.
fn drop_excess(changes: &mut Changes, mut excess: i64, mut unasked: i64) {
    let now = changes.now;
    let is_uncalled = |l: &&Launch| l.state == LaunchState::Pending && l.calls == 0;
    let uncalled = changes.launches().filter(is_uncalled).filter(|l| l.spec.role == TaskRole::Worker);
    let uncalled: Vec<(LaunchId, i64)> = uncalled.map(|l| (l.id.clone(), i64::from(l.spec.count))).collect();
    for (id, count) in uncalled.into_iter().rev() {
        if let Some(launch) = changes.launch_mut(&id).filter(|_| count <= excess) {
            excess -= count;
            unasked -= count;
            launch.advance(Event::Unwanted { called: false }, now);
        }
    }
    let mut unconnected: Vec<(i64, TaskId)> = changes
        .may_run(TaskRole::Worker)
        .filter(|t| t.registered_at.is_none() && t.stopping.is_none() && !t.leaving)
        .map(|t| (t.facts.accepted_at, t.facts.id.clone()))
        .collect();
    unconnected.sort();
    let most = (unasked.max(0) as usize).min(changes.changes_left());
    for (_, id) in unconnected.into_iter().rev().take(most) {
        changes.request_stop(&id, Reason::new(ReasonCode::WorkerExcess, "fewer workers are wanted"));
    }
}
