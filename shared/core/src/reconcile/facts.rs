//! What our calls told us, taken into the records.

use super::Fact;
use super::draft::Draft;
use crate::model::{LaunchId, LaunchState, Ms, Reason, ReasonCode, Status, TaskFacts, TaskId, TaskRole, TaskState};
use crate::ports::{LaunchError, Launched};
use crate::safety_rule;

impl Draft<'_> {
    pub fn learn(&mut self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Launched { launch, result } => match result {
                    Ok(launched) => self.learn_launched(launch, launched),
                    Err(error) => self.learn_refused(launch, error),
                },
                Fact::Described { task, at, facts } => self.learn_described(task, *at, facts.as_ref()),
                Fact::Observed { activity } => self.cluster.scheduler_activity = *activity,
                Fact::Listed { launch, at, tasks } => self.learn_listed(launch, *at, tasks),
                Fact::Seen { asked, seen } => self.learn_seen(asked, seen),
            }
        }
    }

    fn learn_launched(&mut self, id: &LaunchId, launched: &Launched) {
        let Some(launch) = self.launch(id).cloned() else { return };
        let open = launch.state.is_open();
        for facts in &launched.tasks {
            if self.learn_task(facts) && !open {
                self.make_stray(&facts.id);
            }
        }
        if !open {
            return;
        }
        self.accept(id);
        if let Some(why) = &launched.shortfall {
            self.try_elsewhere(launch.spec.fargate.spot, format!("some tasks were not started: {why}"));
        }
    }

    fn learn_refused(&mut self, id: &LaunchId, error: &LaunchError) {
        let (now, policy) = (self.now, self.policy);
        let retry_at = now + policy.launch_retry_ms + spread(id, policy.launch_retry_ms);
        let Some(launch) = self.launch_mut(id) else { return };
        let (role, spot) = (launch.spec.role, launch.spec.fargate.spot);
        launch.outcome = Some(Reason::new(code(error), error.to_string()));
        match error {
            LaunchError::Throttled => {
                launch.throttled += 1;
                // soon at first, when only a few met the rate; then less and less often, when many do
                let wait = (policy.launch_retry_ms / 4) << (launch.throttled - 1).min(3);
                launch.next_try = now + wait + spread(id, wait);
                self.cluster.waiting = Some(Reason::new(ReasonCode::Throttled, error.to_string()));
            }
            LaunchError::Unknown(_) => launch.next_try = retry_at,
            LaunchError::Conflict(_) => {
                launch.next_try = retry_at;
                self.after.push(super::Action::List(id.clone()));
            }
            LaunchError::NoCapacity(_) | LaunchError::Rejected(_) => {
                if launch.state != LaunchState::Pending {
                    return;
                }
                // another call of the same launch may still land: only then is it certain that nothing was started
                if launch.calls <= launch.throttled + 1 || !safety_rule!(policy, sole_call) {
                    self.release(id, LaunchState::Failed);
                } else {
                    launch.state = LaunchState::Cancelled;
                    launch.next_try = now;
                }
                match error {
                    LaunchError::Rejected(why) if role == TaskRole::Scheduler => {
                        let reason =
                            Reason::new(ReasonCode::LaunchRejected, format!("the scheduler cannot be started: {why}"));
                        self.cluster.end(Status::Failed, reason, now);
                    }
                    LaunchError::Rejected(why) => self.worker_failed(&format!("a worker cannot be started: {why}")),
                    _ => self.try_elsewhere(spot, error.to_string()),
                }
            }
        }
    }

    fn learn_described(&mut self, id: &TaskId, at: Ms, facts: Option<&TaskFacts>) {
        let (policy, now) = (self.policy, self.now);
        let Some(task) = self.task_mut(id) else { return };
        task.check_at = None;
        match facts {
            Some(facts) => {
                task.missing = 0;
                task.learn(facts, now);
            }
            None if !task.may_run() => {}
            None => {
                let should_be_seen = at > task.facts.accepted_at + policy.visibility_ms;
                if should_be_seen {
                    task.missing += 1;
                }
                if task.missing >= 2 || !safety_rule!(policy, missing_twice) {
                    task.facts.state = TaskState::Stopped;
                    task.facts.stopped_at.get_or_insert(now);
                    task.facts.stop_code.get_or_insert_with(|| "Missing".into());
                } else {
                    task.check_at = Some(now + policy.check_ms);
                }
            }
        }
    }

    fn learn_listed(&mut self, id: &LaunchId, at: Ms, tasks: &[TaskFacts]) {
        let (policy, now) = (self.policy, self.now);
        let Some(launch) = self.launch(id).cloned() else { return };
        for facts in tasks {
            if self.learn_task(facts) && !launch.state.is_open() {
                self.make_stray(&facts.id);
            }
        }
        if !matches!(launch.state, LaunchState::Expired | LaunchState::Cancelled) {
            return;
        }
        // a call made within the window may land as late as its caller lives, and be seen later still
        let last = launch.not_after
            + if safety_rule!(policy, wait_for_late_calls) { policy.caller_life_ms + policy.visibility_ms } else { 0 };
        // by a clock that was set forward its time seems to be over
        let steady = self.view.steady_since + policy.caller_life_ms + policy.visibility_ms;
        if at > last.max(steady) {
            if self.known_tasks(id) > 0 { self.accept(id) } else { self.release(id, LaunchState::NotAccepted) }
        } else if let Some(launch) = self.launch_mut(id) {
            launch.next_try = now + policy.launch_list_ms;
        }
    }

    /// Belongs to a launch that is closed without it.
    pub fn make_stray(&mut self, id: &TaskId) {
        if let Some(task) = self.task_mut(id) {
            task.stray = true;
        }
    }

    /// There was no capacity: on demand at once where it was Spot's that ran out, else after a while, in the next place.
    pub fn try_elsewhere(&mut self, spot: bool, message: String) {
        if spot {
            self.cluster.spot_after = Some(self.now + self.policy.spot_retry_ms);
        } else {
            self.cluster.place = self.cluster.place.wrapping_add(1);
            self.wait_for(ReasonCode::WaitingForCapacity, message);
        }
    }

    /// Are workers to be started on Spot capacity now?
    pub fn may_use_spot(&self) -> bool {
        self.cluster.config.fargate_spot && self.cluster.spot_after.is_none_or(|at| self.now >= at)
    }

    /// No new launch for a while, and why.
    pub fn wait_for(&mut self, code: ReasonCode, message: String) {
        self.cluster.waiting = Some(Reason::new(code, message));
        let retry = self.policy.launch_retry_ms;
        self.cluster.next_try = Some(self.now + retry + i64::from(self.cluster.launches % 7) * retry / 7);
    }
}

fn code(error: &LaunchError) -> ReasonCode {
    match error {
        LaunchError::NoCapacity(_) => ReasonCode::WaitingForCapacity,
        LaunchError::Rejected(_) => ReasonCode::LaunchRejected,
        LaunchError::Throttled | LaunchError::Unknown(_) | LaunchError::Conflict(_) => ReasonCode::Throttled,
    }
}

/// Spreads retries of many launches over `within` milliseconds, the same way each time.
fn spread(id: &LaunchId, within: Ms) -> Ms {
    let sum = id.0.bytes().fold(0u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
    i64::from(sum) % within.max(1)
}
