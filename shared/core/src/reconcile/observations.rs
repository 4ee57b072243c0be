//! What our calls told us, taken into the records.

use super::changes::Changes;
use super::launch::Event;
use super::workers::worker_failed;
use super::{Action, Observation, placement};
use crate::model::{LaunchId, Ms, Reason, ReasonCode, Status, TaskFacts, TaskId, TaskRole};
use crate::ports::{LaunchError, Launched};
use std::collections::BTreeSet;

/// Changes tasks and launches; ends a cluster whose scheduler is refused, and counts refused workers.
pub(super) fn apply(changes: &mut Changes, observations: &[Observation]) {
    for observation in observations {
        match observation {
            Observation::Launched { launch, result: Ok(launched) } => apply_launched(changes, launch, launched),
            Observation::Launched { launch, result: Err(error) } => apply_refusal(changes, launch, error),
            Observation::Described { task, at, facts } => {
                let (now, policy) = (changes.now, changes.policy);
                if let Some(task) = changes.task_mut(task) {
                    task.apply_description(facts.as_ref(), *at, now, policy);
                }
            }
            Observation::Activity { activity } => changes.cluster.scheduler_activity = *activity,
            Observation::Listed { launch, at, tasks } => apply_list(changes, launch, *at, tasks),
            Observation::Seen { asked, seen } => apply_seen(changes, asked, seen),
        }
    }
}

/// Tasks that are new to a launch which is closed without them are orphans.
fn apply_tasks(changes: &mut Changes, launch_is_open: bool, tasks: &[TaskFacts]) {
    for facts in tasks {
        if changes.apply_facts(facts)
            && !launch_is_open
            && let Some(task) = changes.task_mut(&facts.id)
        {
            task.orphan = true;
        }
    }
}

fn apply_launched(changes: &mut Changes, id: &LaunchId, launched: &Launched) {
    let Some(launch) = changes.launch(id) else { return };
    let (is_open, spot) = (launch.state.is_open(), launch.spec.fargate.spot);
    apply_tasks(changes, is_open, &launched.tasks);
    if !is_open {
        return;
    }
    let now = changes.now;
    if let Some(launch) = changes.launch_mut(id) {
        launch.advance(Event::TasksKnown, now);
    }
    if let Some(why) = &launched.shortfall {
        placement::try_elsewhere(changes, spot, format!("some tasks were not started: {why}"));
    }
}

fn apply_refusal(changes: &mut Changes, id: &LaunchId, error: &LaunchError) {
    let (now, policy) = (changes.now, changes.policy);
    let Some(launch) = changes.launch_mut(id) else { return };
    let (role, spot) = (launch.spec.role, launch.spec.fargate.spot);
    let is_final = launch.apply_refusal(error, now, policy);
    match error {
        LaunchError::Throttled => {
            changes.cluster.waiting = Some(Reason::new(ReasonCode::Throttled, error.to_string()));
        }
        LaunchError::Denied(_) if !is_final => {
            changes.cluster.waiting = Some(Reason::new(ReasonCode::WaitingForPermissions, error.to_string()));
        }
        LaunchError::Conflict(_) => changes.after_save(Action::List(id.clone())),
        LaunchError::Rejected(why) | LaunchError::Denied(why) if is_final && role == TaskRole::Scheduler => {
            let message = format!("the scheduler cannot be started: {why}");
            changes.cluster.end(Status::Failed, Reason::new(ReasonCode::LaunchRejected, message), now);
        }
        LaunchError::Rejected(why) | LaunchError::Denied(why) if is_final => {
            worker_failed(changes, &format!("a worker cannot be started: {why}"));
        }
        LaunchError::NoCapacity(_) if is_final => placement::try_elsewhere(changes, spot, error.to_string()),
        LaunchError::Unknown(_) | LaunchError::Rejected(_) | LaunchError::Denied(_) | LaunchError::NoCapacity(_) => {}
    }
}

fn apply_list(changes: &mut Changes, id: &LaunchId, at: Ms, tasks: &[TaskFacts]) {
    let Some(launch) = changes.launch(id) else { return };
    apply_tasks(changes, launch.state.is_open(), tasks);
    let (now, policy, steady_since) = (changes.now, changes.policy, changes.snapshot.steady_since);
    let started = changes.known_tasks(id) > 0;
    if let Some(launch) = changes.launch_mut(id) {
        launch.apply_list(started, at, steady_since, now, policy);
    }
}

/// Which workers that ended before a heartbeat named them had connected.
fn apply_seen(changes: &mut Changes, asked: &[TaskId], seen: &BTreeSet<String>) {
    let now = changes.now;
    for id in asked {
        let Some(task) = changes.task_mut(id).filter(|task| !task.may_run()) else { continue };
        if seen.contains(&id.worker_name()) {
            task.was_connected(now);
        } else {
            changes.never_seen.insert(id.clone());
        }
    }
}
