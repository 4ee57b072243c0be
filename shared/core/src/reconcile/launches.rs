//! The life of launches and of the tasks they brought: accepted, expired, released, settled.

use super::draft::Draft;
use crate::model::{LaunchId, LaunchState, ReasonCode, Task, TaskRole, TaskState};
use crate::safety_rule;

impl Draft<'_> {
    /// Launches whose tasks are all known are accepted; those whose window has passed expire; tasks that no launch vouches for
    /// are to be stopped.
    pub fn settle_launches(&mut self) {
        let ids: Vec<LaunchId> = self.launches.iter().map(|l| l.now.id.clone()).collect();
        for id in ids {
            let Some(launch) = self.launch(&id) else { continue };
            let (state, count, not_after) = (launch.state, launch.spec.count, launch.not_after);
            if state.is_open() && self.known_tasks(&id) >= count {
                // tasks of a cancelled launch are stopped, below, before the launch counts as accepted
                self.stop_unwanted();
                self.accept(&id);
            } else if state == LaunchState::Pending
                && safety_rule!(self.policy, wait_for_late_calls)
                && self.now > not_after
            {
                let adopt = safety_rule!(self.policy, adopt_expired);
                let now = self.now;
                if let Some(launch) = self.launch_mut(&id) {
                    launch.state = if adopt { LaunchState::Expired } else { LaunchState::Cancelled };
                    launch.next_try = now;
                }
            }
        }
        self.stop_unwanted();
    }

    fn stop_unwanted(&mut self) {
        let unwanted: Vec<_> = self
            .tasks
            .iter()
            .map(|t| &t.now)
            .filter(|t| t.may_run() && t.stopping.is_none())
            .filter_map(|t| {
                let state = self.launch(&t.facts.launch).map(|l| l.state);
                let closed = matches!(state, None | Some(LaunchState::Failed | LaunchState::NotAccepted));
                (t.stray || closed || state == Some(LaunchState::Cancelled))
                    .then(|| (t.facts.id.clone(), t.stray || closed))
            })
            .collect();
        for (id, stray) in unwanted {
            if stray {
                self.make_stray(&id);
            }
            self.stop(&id, ReasonCode::NotWanted, "it belongs to a launch that was given up");
        }
    }

    /// The launch's tasks are known: what it reserved beyond them is given back.
    pub fn accept(&mut self, id: &LaunchId) {
        if let Some(launch) = self.launch_mut(id) {
            launch.state = LaunchState::Accepted;
        }
    }

    /// Nothing of the launch exists or can: all it reserved is given back.
    pub fn release(&mut self, id: &LaunchId, state: LaunchState) {
        if let Some(launch) = self.launch_mut(id) {
            launch.state = state;
        }
    }

    /// Is it known under which launch a task at rest was charged?
    fn may_settle(&self, task: &Task) -> bool {
        let accepted = || self.launch(&task.facts.launch).is_some_and(|l| l.state == LaunchState::Accepted);
        task.stray || task.facts.role == TaskRole::Scheduler || accepted()
    }

    /// Tasks at rest give back their charge and are billed, once; then they, and launches that are through, may be forgotten in time.
    /// What a settled task is found to have used besides is billed too.
    pub fn settle_tasks(&mut self) {
        let keep_until = self.now + self.policy.keep_records_ms;
        let mut room = self.room();
        for i in 0..self.tasks.len() {
            let task = &self.tasks[i].now;
            if task.facts.state != TaskState::Stopped {
                self.tasks[i].now.expires_at = None;
                continue;
            }
            let settles = !task.settled && self.may_settle(task);
            if !settles && (!task.settled || self.unbilled(task).is_empty()) {
                continue;
            }
            if room == 0 {
                return;
            }
            room -= 1;
            let now = self.now;
            let task = &mut self.tasks[i].now;
            if settles {
                task.settled = true;
                task.facts.stopped_at.get_or_insert(now);
                task.check_at = None;
                task.next_stop = None;
                task.expires_at = Some(keep_until);
            }
            self.bill(i);
        }
        for i in 0..self.launches.len() {
            let launch = &self.launches[i].now;
            let through = !launch.state.is_open()
                && launch.expires_at.is_none()
                && !self.tasks.iter().any(|t| t.now.facts.launch == launch.id && !t.now.settled);
            if through && room > 0 {
                room -= 1;
                self.launches[i].now.expires_at = Some(keep_until);
            }
        }
    }
}
