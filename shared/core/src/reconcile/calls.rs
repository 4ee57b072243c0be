//! Which calls are made after the save: at most one launch and one list, the oldest stops, a page of descriptions, one question.

use super::Action;
use super::changes::Changes;
use crate::model::{LaunchId, Ms, Status, Task, TaskId, TaskRole};
use crate::safety_rule;

/// Tasks stopped, and described, after one save.
const STOPS: usize = 30;
const DESCRIPTIONS: usize = 30;

/// Counts and schedules calls in the records of what they are about, and sees to it that those which are left are due.
pub(super) fn plan(changes: &mut Changes, to_ask: Vec<TaskId>) {
    launch_next(changes);
    list_next(changes);
    let dues: Vec<Ms> = changes.launches().filter_map(|l| l.due_at(changes.policy)).collect();
    dues.into_iter().for_each(|at| changes.due(at));
    stop_oldest(changes);
    describe_due(changes);
    ask_scheduler(changes, to_ask);
    if !safety_rule!(changes.policy, credentials_until_rest)
        && changes.cluster.wants_to_run()
        && changes.cluster.status == Status::Running
        && !changes.launches().any(|l| l.state.is_open())
    {
        changes.after_save(Action::Discard);
    }
}

/// The pending launch that has waited longest; counted before it is called.
fn launch_next(changes: &mut Changes) {
    if !changes.snapshot.may_launch {
        return;
    }
    let (now, policy) = (changes.now, changes.policy);
    let next = changes.launches().filter(|l| l.is_callable(now, policy)).min_by_key(|l| l.next_try);
    let id: Option<LaunchId> = next.map(|l| l.id.clone());
    if let Some(launch) = id.and_then(|id| changes.launch_mut(&id)) {
        launch.count_call(now, policy);
        let launch = launch.clone();
        if launch.spec.role == TaskRole::Scheduler {
            changes.after_save(Action::Prepare(launch.id.clone()));
        }
        changes.after_save(Action::Launch(Box::new(launch)));
    }
}

fn list_next(changes: &mut Changes) {
    let (now, again) = (changes.now, changes.now + changes.policy.launch_list_ms);
    let next = changes.launches().filter(|l| l.is_listed() && l.next_try <= now).min_by_key(|l| l.next_try);
    let id: Option<LaunchId> = next.map(|l| l.id.clone());
    if let Some(launch) = id.and_then(|id| changes.launch_mut(&id)) {
        launch.next_try = again;
        let id = launch.id.clone();
        changes.after_save(Action::List(id));
    }
}

/// The moments that a field of the tasks that may run names.
fn moments(changes: &Changes, of: impl Fn(&Task) -> Option<Ms>) -> Vec<(Ms, TaskId)> {
    let tasks = changes.tasks().filter(|t| t.may_run());
    let mut moments: Vec<(Ms, TaskId)> = tasks.filter_map(|t| of(t).map(|at| (at, t.facts.id.clone()))).collect();
    moments.sort();
    moments
}

fn stop_oldest(changes: &mut Changes) {
    let now = changes.now;
    let (again, check) = (now + changes.policy.stop_retry_ms, now + changes.policy.check_ms);
    let repeat = safety_rule!(changes.policy, stop_again);
    let most = STOPS.min(changes.changes_left());
    for (_, id) in moments(changes, |t| t.next_stop.filter(|at| *at <= now)).into_iter().take(most) {
        if let Some(task) = changes.task_mut(&id) {
            task.next_stop = repeat.then_some(again);
            task.check_at.get_or_insert(check);
        }
        changes.after_save(Action::Stop(id));
    }
    moments(changes, |t| t.next_stop).into_iter().for_each(|(at, _)| changes.due(at));
}

fn describe_due(changes: &mut Changes) {
    let now = changes.now;
    let (soon, later) = (now + changes.policy.check_ms, now + changes.policy.check_ms * 6);
    let left = changes.changes_left();
    let unwatched = |t: &&mut Task| t.may_run() && t.check_at.is_none() && (t.stopping.is_some() || t.leaving);
    for task in changes.tasks_mut().filter(unwatched).take(left) {
        task.check_at = Some(if task.stopping.is_some() { soon } else { later });
    }
    let due = moments(changes, |t| t.check_at.filter(|at| *at <= now)).into_iter();
    let page: Vec<TaskId> = due.map(|(_, id)| id).take(DESCRIPTIONS.min(changes.changes_left())).collect();
    for id in &page {
        if let Some(task) = changes.task_mut(id) {
            task.check_at = Some(soon);
        }
    }
    if changes.cluster.unanswered > 0 {
        let schedulers: Vec<TaskId> = changes.may_run(TaskRole::Scheduler).map(|t| t.facts.id.clone()).collect();
        for id in schedulers.into_iter().filter(|id| page.contains(id)) {
            changes.after_save(Action::Observe(id));
        }
    }
    if !page.is_empty() {
        changes.after_save(Action::Describe(page));
    }
    moments(changes, |t| t.check_at).into_iter().for_each(|(at, _)| changes.due(at));
}

/// Last of all: none of the other calls shall wait for a scheduler.
fn ask_scheduler(changes: &mut Changes, to_ask: Vec<TaskId>) {
    let Some(dashboard) = changes.cluster.addresses.and_then(|addresses| addresses.dashboard) else { return };
    if !to_ask.is_empty() && changes.cluster.wants_to_run() {
        changes.after_save(Action::AskSeen(dashboard, to_ask));
    }
}
