//! The scheduler: started, its addresses verified, its end noticed.

use super::changes::Changes;
use super::deferral::{backoff, defer_launch, launch_blocker};
use super::spec::{scheduler_spec, write_launch};
use super::start_failures::{how_it_ended, how_it_was_lost};
use super::{Action, placement};
use crate::model::{Addresses, Counts, Ms, Reason, ReasonCode, Status, Task, TaskId, TaskRole};
use crate::ports::Route;
use crate::safety_rule;

/// Once its owner was shut out, or let in again, the proxy is told.
pub(super) fn reroute(changes: &mut Changes) {
    if !changes.cluster.reroute {
        return;
    }
    match changes.cluster.addresses.filter(|_| changes.cluster.status == Status::Running) {
        Some(addresses) => publish(changes, addresses),
        // nothing is published yet, or no longer: what is will say it
        None => changes.cluster.reroute = false,
    }
}

/// Has it started, is it late, has it ended? Ends the cluster with it, and starts another one while that may help.
pub(super) fn check(changes: &mut Changes) {
    if !changes.cluster.wants_to_run() {
        return;
    }
    if changes.cluster.suspect {
        changes.cluster.suspect = false;
        describe_by(changes, changes.now);
    }
    match changes.cluster.status {
        Status::Running => check_running(changes),
        Status::Pending => check_starting(changes),
        Status::Stopping | Status::Stopped | Status::Failed => {}
    }
}

/// The schedulers that may run.
fn live<'a>(changes: &'a mut Changes) -> impl Iterator<Item = &'a mut Task> {
    changes.tasks_mut().filter(|t| t.facts.role == TaskRole::Scheduler && t.may_run())
}

/// The launcher is asked about it at `at`, or before.
fn describe_by(changes: &mut Changes, at: Ms) {
    for task in live(changes) {
        task.check_at = Some(task.check_at.map_or(at, |due| due.min(at)));
    }
}

fn check_running(changes: &mut Changes) {
    if changes.may_run(TaskRole::Scheduler).next().is_some() {
        return watch_silent(changes);
    }
    let last = changes.tasks_of(TaskRole::Scheduler).max_by_key(|t| t.facts.accepted_at);
    let (status, reason) = match last {
        Some(task) if task.facts.exit_code == Some(0) => {
            (Status::Stopped, Reason::new(ReasonCode::SchedulerExited, "the scheduler ended by itself"))
        }
        _ => {
            let how = last.map(how_it_ended).unwrap_or_default();
            (Status::Failed, Reason::new(ReasonCode::SchedulerFailed, format!("the scheduler died{how}")))
        }
    };
    changes.cluster.end(status, reason, changes.now);
}

/// While a scheduler leaves questions unanswered, the launcher is asked about its task again and again: it alone can say that the task is
/// gone.
fn watch_silent(changes: &mut Changes) {
    if changes.cluster.unanswered == 0 {
        changes.cluster.scheduler_activity = None;
        return;
    }
    let again = changes.now + changes.policy.check_ms * 6;
    for task in live(changes) {
        task.check_at.get_or_insert(again);
    }
}

fn check_starting(changes: &mut Changes) {
    if let Some(addresses) = verified_addresses(changes) {
        return start_running(changes, addresses);
    }
    check_late(changes);
    count_failed(changes);
    if !changes.cluster.wants_to_run() {
        return;
    }
    if changes.may_run(TaskRole::Scheduler).next().is_some() {
        let claims = changes.heartbeat.content.as_ref().is_some_and(|content| content.scheduler.is_some());
        let (code, what) = match claims {
            true => (ReasonCode::WaitingForAddress, "the scheduler's addresses are being verified"),
            false => (ReasonCode::SchedulerStarting, "the scheduler is starting"),
        };
        changes.cluster.waiting = Some(Reason::new(code, what));
    } else if !changes.launches().any(|l| l.spec.role == TaskRole::Scheduler && l.state.is_open()) {
        match changes.cluster.next_try.filter(|at| *at > changes.now) {
            Some(at) => changes.schedule_recheck(at),
            None => match launch_blocker(changes) {
                Some(why) => defer_launch(changes, why),
                None => launch(changes),
            },
        }
    }
}

fn start_running(changes: &mut Changes, addresses: Addresses) {
    let now = changes.now;
    let cluster = &mut changes.cluster;
    cluster.addresses = Some(addresses);
    cluster.status = Status::Running;
    cluster.running_at = Some(now);
    cluster.waiting = None;
    cluster.next_try = None;
    for task in changes.tasks_mut().filter(|t| t.facts.role == TaskRole::Scheduler) {
        task.check_at = None;
    }
    publish(changes, addresses);
}

/// The proxy is told where it is, and whether its owner may come in.
fn publish(changes: &mut Changes, addresses: Addresses) {
    changes.cluster.reroute = false;
    let closed = changes.cluster.closed;
    let route = Route { scheduler: addresses.scheduler, dashboard: addresses.dashboard, closed };
    changes.before_save(Action::Publish(route));
}

/// The addresses of the last heartbeat, if each of them is one that only the cluster's own scheduler task can have.
fn verified_addresses(changes: &mut Changes) -> Option<Addresses> {
    let content = changes.heartbeat.content.as_ref()?;
    let claim = Addresses { scheduler: content.scheduler?, dashboard: content.dashboard, api: content.api? };
    let all = [Some(claim.scheduler), claim.dashboard, Some(claim.api)];
    let owns_all = |t: &Task| t.stopping.is_none() && all.iter().flatten().all(|address| t.facts.owns(*address));
    if changes.may_run(TaskRole::Scheduler).any(owns_all) {
        return Some(claim);
    }
    // a claim: kept, not used; ask the launcher what the task's addresses are
    let is_fresh = changes.snapshot.heartbeat.value.due_at.is_some();
    let at = if is_fresh { changes.now } else { changes.now + changes.policy.check_ms };
    describe_by(changes, at);
    None
}

fn check_late(changes: &mut Changes) {
    let (now, limit, steady) = (changes.now, changes.policy.cluster_start_timeout_ms, changes.snapshot.steady_since);
    let starting: Vec<(TaskId, Ms)> = changes
        .may_run(TaskRole::Scheduler)
        .filter(|t| t.stopping.is_none())
        .map(|t| (t.facts.id.clone(), t.facts.accepted_at.max(steady) + limit))
        .collect();
    for (id, deadline) in starting {
        if now > deadline {
            let message = format!("the scheduler did not start within {} s", limit / 1000);
            changes.request_stop(&id, Reason::new(ReasonCode::SchedulerStartTimeout, message));
        } else {
            changes.schedule_recheck(deadline + 1);
            let again = now + changes.policy.check_ms * 4;
            if let Some(task) = changes.task_mut(&id) {
                task.check_at.get_or_insert(again);
            }
        }
    }
}

fn count_failed(changes: &mut Changes) {
    let (mut failed, mut lost, policy) = (Vec::new(), None, changes.policy);
    let ended = changes.tasks_mut().filter(|t| t.facts.role == TaskRole::Scheduler && !t.may_run());
    for task in ended.filter(|t| !t.failed_start && !t.orphan) {
        task.count_failed_start();
        if task.facts.lost_to_platform && safety_rule!(policy, lost_starts_are_waits) {
            lost = Some(format!("the scheduler {}{}", how_it_was_lost(task), how_it_ended(task)));
        } else {
            failed.push(task.clone());
        }
    }
    changes.cluster.scheduler_failures += failed.len() as u32;
    if let Some(message) = lost {
        placement::try_again_later(changes, TaskRole::Scheduler, false, message);
    }
    let Some(task) = failed.pop() else { return };
    let n = changes.cluster.scheduler_failures;
    changes.cluster.next_try = Some(changes.now + backoff(changes.policy.start_backoff_ms, n));
    let message = match &task.stopping {
        Some(why) => why.message.clone(),
        None => format!("the scheduler ended before it was ready{}", how_it_ended(&task)),
    };
    if n >= changes.policy.scheduler_start_failure_limit {
        let code = task.stopping.as_ref().map_or(ReasonCode::SchedulerStartFailed, |why| why.code);
        let reason = Reason::new(code, message).with("attempts", n.into());
        changes.cluster.end(Status::Failed, reason, changes.now);
    } else {
        let again = Reason::new(ReasonCode::SchedulerStarting, format!("{message}; trying again"));
        changes.cluster.waiting = Some(again);
    }
}

fn launch(changes: &mut Changes) {
    let (listen, api_url) = (&changes.snapshot.listen, &changes.snapshot.api_url);
    let spec = scheduler_spec(&changes.cluster, changes.policy, listen, api_url);
    changes.cluster.waiting = Some(Reason::new(ReasonCode::SchedulerStarting, "the scheduler is being started"));
    write_launch(changes, spec, Counts::default());
}
