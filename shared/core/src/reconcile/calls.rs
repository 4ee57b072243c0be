//! Which calls are made now: at most one launch, the oldest stops, a page of descriptions, one list.

use super::Action;
use super::draft::Draft;
use crate::model::{LaunchId, LaunchState, Ms, Task, TaskId, TaskRole};
use crate::safety_rule;

/// Tasks stopped, and described, in one turn's round.
const STOPS: usize = 30;
const DESCRIPTIONS: usize = 30;

impl Draft<'_> {
    pub fn plan_calls(&mut self) {
        self.call_a_launch();
        self.list_a_launch();
        self.stop_the_oldest();
        self.describe_what_is_due();
        self.ask_scheduler();
        if !safety_rule!(self.policy, credentials_until_rest)
            && self.cluster.wants_to_run()
            && self.cluster.status == crate::model::Status::Running
            && !self.launches.iter().any(|l| l.now.state.is_open())
        {
            self.after.push(Action::Discard);
        }
    }

    /// The pending launch that has waited longest; counted before it is called.
    fn call_a_launch(&mut self) {
        let (now, strict) = (self.now, safety_rule!(self.policy, wait_for_late_calls));
        let in_flight = now + self.policy.launch_call_ms;
        let callable = |state: LaunchState| state == LaunchState::Pending;
        let next: Option<LaunchId> = self
            .launches
            .iter()
            .map(|l| &l.now)
            .filter(|l| callable(l.state) && l.next_try <= now && (!strict || now <= l.not_after))
            .filter(|_| self.view.may_launch)
            .min_by_key(|l| l.next_try)
            .map(|l| l.id.clone());
        if let Some(id) = next
            && let Some(launch) = self.launch_mut(&id)
        {
            launch.calls += 1;
            launch.next_try = in_flight;
            let launch = launch.clone();
            if launch.spec.role == TaskRole::Scheduler {
                self.after.push(Action::Prepare(launch.id.clone()));
            }
            self.after.push(Action::Launch(Box::new(launch)));
        }
        let dues: Vec<Ms> = self
            .launches
            .iter()
            .map(|l| &l.now)
            .filter(|l| callable(l.state))
            .map(|l| if strict { l.next_try.min(l.not_after + 1) } else { l.next_try })
            .collect();
        for at in dues {
            self.due(at);
        }
    }

    fn list_a_launch(&mut self) {
        let now = self.now;
        let again = now + self.policy.launch_list_ms;
        let unresolved = |state: LaunchState| matches!(state, LaunchState::Expired | LaunchState::Cancelled);
        let next: Option<LaunchId> = self
            .launches
            .iter()
            .map(|l| &l.now)
            .filter(|l| unresolved(l.state) && l.next_try <= now)
            .min_by_key(|l| l.next_try)
            .map(|l| l.id.clone());
        if let Some(id) = next
            && let Some(launch) = self.launch_mut(&id)
        {
            launch.next_try = again;
            self.after.push(Action::List(id));
        }
        let dues: Vec<Ms> =
            self.launches.iter().map(|l| &l.now).filter(|l| unresolved(l.state)).map(|l| l.next_try).collect();
        for at in dues {
            self.due(at);
        }
    }

    fn stop_the_oldest(&mut self) {
        let now = self.now;
        let (again, check) = (now + self.policy.stop_retry_ms, now + self.policy.check_ms);
        let repeat = safety_rule!(self.policy, stop_again);
        let mut pending: Vec<(Ms, TaskId)> = self
            .tasks
            .iter()
            .map(|t| &t.now)
            .filter(|t| t.may_run())
            .filter_map(|t| t.next_stop.filter(|at| *at <= now).map(|at| (at, t.facts.id.clone())))
            .collect();
        pending.sort();
        let most = STOPS.min(self.room());
        for (_, id) in pending.into_iter().take(most) {
            if let Some(task) = self.task_mut(&id) {
                task.next_stop = repeat.then_some(again);
                task.check_at.get_or_insert(check);
            }
            self.after.push(Action::Stop(id));
        }
        let dues: Vec<Ms> =
            self.tasks.iter().map(|t| &t.now).filter(|t| t.may_run()).filter_map(|t| t.next_stop).collect();
        for at in dues {
            self.due(at);
        }
    }

    fn describe_what_is_due(&mut self) {
        let now = self.now;
        let (soon, later) = (now + self.policy.check_ms, now + self.policy.check_ms * 6);
        let room = self.room();
        let unwatched = |t: &&mut Task| t.may_run() && t.check_at.is_none() && (t.stopping.is_some() || t.leaving);
        for (n, task) in self.tasks.iter_mut().map(|t| &mut t.now).filter(unwatched).enumerate() {
            if n < room {
                task.check_at = Some(if task.stopping.is_some() { soon } else { later });
            }
        }
        let mut due: Vec<(Ms, TaskId)> = self
            .tasks
            .iter()
            .map(|t| &t.now)
            .filter(|t| t.may_run())
            .filter_map(|t| t.check_at.filter(|at| *at <= now).map(|at| (at, t.facts.id.clone())))
            .collect();
        due.sort();
        let page: Vec<TaskId> = due.into_iter().map(|(_, id)| id).take(DESCRIPTIONS.min(self.room())).collect();
        for id in &page {
            if let Some(task) = self.task_mut(id) {
                task.check_at = Some(soon);
            }
        }
        if self.cluster.unanswered > 0 {
            let schedulers: Vec<TaskId> = self.may_run(TaskRole::Scheduler).map(|t| t.facts.id.clone()).collect();
            self.after.extend(schedulers.into_iter().filter(|id| page.contains(id)).map(Action::Observe));
        }
        if !page.is_empty() {
            self.after.push(Action::Describe(page));
        }
        let dues: Vec<Ms> =
            self.tasks.iter().map(|t| &t.now).filter(|t| t.may_run()).filter_map(|t| t.check_at).collect();
        for at in dues {
            self.due(at);
        }
    }
}
