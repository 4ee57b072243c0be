//! Workers that are late, that ended before they connected, or that failed to start.

use super::changes::Changes;
use super::deferral::backoff;
use super::placement;
use super::start_failures::{how_it_ended, how_it_was_lost};
use super::task::{Check, WorkerRules};
use crate::model::{Launch, LaunchId, Reason, ReasonCode, Status, Task, TaskId, TaskRole};
use crate::safety_rule;
use std::collections::BTreeSet;

/// What the checks of single workers come to. Collected, as the workers are borrowed while they are checked.
#[derive(Default)]
struct Found {
    late: Vec<(TaskId, Reason)>,
    failed_starts: Vec<(LaunchId, String)>,
    lost: Option<(LaunchId, String)>,
    to_ask: Vec<TaskId>,
    dues: Vec<i64>,
}

/// Stops those that are late, counts those that failed to start, and forgets earlier failures once one has connected. Returns those about
/// which the scheduler is to be asked.
pub(super) fn check(changes: &mut Changes) -> Vec<TaskId> {
    forgive_failures(changes);
    let mut counted = counted_launches(changes);
    let found = check_each(changes);
    for at in found.dues {
        changes.schedule_recheck(at);
    }
    for (id, reason) in found.late {
        changes.request_stop(&id, reason);
    }
    for (launch, message) in found.failed_starts {
        // its siblings met the same trouble
        if counted.insert(launch) || !safety_rule!(changes.policy, launch_fails_once) {
            worker_failed(changes, &message);
        }
    }
    if let Some((launch, message)) = found.lost {
        let spot = changes.launch(&launch).is_some_and(|launch| launch.spec.fargate.spot);
        placement::try_again_later(changes, TaskRole::Worker, spot, message);
    }
    found.to_ask
}

fn check_each(changes: &mut Changes) -> Found {
    let cluster = &changes.cluster;
    let rules = WorkerRules {
        now: changes.now,
        policy: changes.policy,
        // without a digest, what it said last is not whole
        heard_at: changes.heartbeat.seen_at.filter(|_| changes.heartbeat.digest.is_some()).unwrap_or(0),
        is_busy: cluster.unanswered > 0,
        steady_since: changes.snapshot.steady_since.max(cluster.answered_at.unwrap_or(0)),
        may_ask: cluster.addresses.is_some_and(|addresses| addresses.dashboard.is_some()),
    };
    let mut found = Found::default();
    let mut left = changes.changes_left();
    let never_seen = std::mem::take(&mut changes.never_seen);
    let workers = changes.tasks_mut().filter(|t| t.facts.role == TaskRole::Worker);
    for task in workers.filter(|t| t.stopping.is_none() && !t.orphan) {
        let check = task.check(never_seen.contains(&task.facts.id), &rules);
        if let Check::Fine { again } = check {
            found.dues.extend(again);
            continue;
        }
        if left == 0 {
            found.dues.push(rules.now);
            break;
        }
        left -= 1;
        found.take_in(task, check, &rules);
    }
    changes.never_seen = never_seen;
    found
}

impl Found {
    fn take_in(&mut self, task: &mut Task, check: Check, rules: &WorkerRules) {
        let id = || task.facts.id.clone();
        match check {
            Check::Fine { again } => self.dues.extend(again),
            Check::Watch { until } => {
                task.check_at.get_or_insert(rules.now + rules.policy.check_ms);
                self.dues.push(until + 1);
            }
            Check::Confirm => {
                task.late_at = Some(rules.heard_at);
                self.dues.push(rules.now + rules.policy.heartbeat_period_ms);
            }
            Check::Late { code, message } => {
                self.late.push((id(), Reason::new(code, message.clone())));
                if code == ReasonCode::WorkerStartTimeout {
                    task.count_failed_start();
                    self.failed_starts.push((task.facts.launch.clone(), message));
                }
            }
            Check::AskScheduler { again } => {
                self.to_ask.push(id());
                task.check_at = Some(rules.now + rules.policy.check_ms);
                self.dues.push(again);
            }
            Check::FailedStart => {
                task.count_failed_start();
                let message = format!("a worker ended before it connected{}", how_it_ended(task));
                self.failed_starts.push((task.facts.launch.clone(), message));
            }
            Check::LostToPlatform => {
                task.count_failed_start();
                self.lost = Some((
                    task.facts.launch.clone(),
                    format!("a worker {}{}", how_it_was_lost(task), how_it_ended(task)),
                ));
            }
        }
    }
}

/// Failures count in a row: one that connected after the last of them makes them good.
fn forgive_failures(changes: &mut Changes) {
    let limit = changes.policy.worker_start_timeout_ms;
    let workers = changes.tasks_of(TaskRole::Worker);
    let failed = workers.clone().filter(|t| t.failed_start && !t.facts.lost_to_platform).map(|t| {
        match (&t.stopping, t.facts.stopped_at) {
            (None, Some(stopped_at)) => stopped_at,
            _ => t.facts.accepted_at + limit,
        }
    });
    let is_rejected = |l: &&Launch| l.outcome.as_ref().is_some_and(|o| o.code == ReasonCode::LaunchRejected);
    let rejected = changes.launches().filter(is_rejected).map(|l| l.created_at);
    let connected = workers.filter(|t| !t.failed_start).filter_map(|t| t.registered_at).max();
    let is_forgiven = connected > failed.chain(rejected).max();
    changes.cluster.worker_connected |= connected.is_some();
    if is_forgiven {
        changes.cluster.worker_failures = 0;
    }
}

/// Launches of which a worker has failed to start: a launch counts once, however many of its workers fail.
pub(super) fn counted_launches(changes: &Changes) -> BTreeSet<LaunchId> {
    let workers = changes.tasks_of(TaskRole::Worker).filter(|t| t.failed_start && !t.facts.lost_to_platform);
    workers.map(|t| t.facts.launch.clone()).collect()
}

/// Counts a start failure. Too many in a row end the cluster, unless a worker of it has ever connected: then image, software and size
/// work, healthy workers may hold results, and others are tried less and less often.
pub(super) fn worker_failed(changes: &mut Changes, message: &str) {
    changes.cluster.worker_failures += 1;
    let n = changes.cluster.worker_failures;
    let has_proof = changes.cluster.worker_connected && safety_rule!(changes.policy, connected_is_proof);
    if n >= changes.policy.worker_start_failure_limit && !has_proof {
        let message = format!("{n} workers in a row failed to start; the last: {message}");
        let reason = Reason::new(ReasonCode::WorkerStartFailed, message).with("failures", n.into());
        changes.cluster.end(Status::Failed, reason, changes.now);
    } else {
        changes.cluster.next_try = Some(changes.now + backoff(changes.policy.start_backoff_ms, n));
    }
}
