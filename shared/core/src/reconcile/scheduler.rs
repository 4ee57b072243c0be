//! The scheduler: started, believed, judged.

use super::Action;
use super::draft::Draft;
use super::spec::scheduler_spec;
use crate::model::{
    Addresses, Counts, Launch, LaunchId, LaunchSpec, LaunchState, Reason, ReasonCode, Status, Task, TaskId, TaskRole,
};
use crate::ports::Route;

impl Draft<'_> {
    /// Does it live, has it started, is it late, has it ended by itself?
    pub fn judge_scheduler(&mut self) {
        if !self.cluster.wants_to_run() {
            return;
        }
        if self.cluster.suspect {
            self.cluster.suspect = false;
            self.check_schedulers(self.now);
        }
        match self.cluster.status {
            Status::Running => self.judge_running(),
            Status::Pending => self.judge_starting(),
            Status::Stopping | Status::Stopped | Status::Failed => {}
        }
    }

    fn check_schedulers(&mut self, at: i64) {
        for task in self.tasks.iter_mut().map(|t| &mut t.now) {
            if task.facts.role == TaskRole::Scheduler && task.may_run() {
                task.check_at = Some(task.check_at.map_or(at, |due| due.min(at)));
            }
        }
    }

    fn judge_running(&mut self) {
        if self.may_run(TaskRole::Scheduler).next().is_some() {
            return self.watch_silent_scheduler();
        }
        let last = self.tasks.iter().map(|t| &t.now).filter(|t| t.facts.role == TaskRole::Scheduler);
        let last = last.max_by_key(|t| t.facts.accepted_at).cloned();
        let ended_well = last.as_ref().is_some_and(|t| t.facts.exit_code == Some(0));
        if ended_well {
            let reason = Reason::new(ReasonCode::SchedulerExited, "the scheduler ended by itself");
            self.cluster.end(Status::Stopped, reason, self.now);
        } else {
            let reason = Reason::new(ReasonCode::SchedulerFailed, format!("the scheduler died{}", how(last.as_ref())));
            self.cluster.end(Status::Failed, reason, self.now);
        }
    }

    /// While a scheduler leaves questions unanswered, the launcher is asked about its task again and again: it alone can say that the
    /// task is gone.
    fn watch_silent_scheduler(&mut self) {
        if self.cluster.unanswered == 0 {
            self.cluster.scheduler_activity = None;
            return;
        }
        let again = self.now + self.policy.check_ms * 6;
        for task in self.tasks.iter_mut().map(|t| &mut t.now) {
            if task.facts.role == TaskRole::Scheduler && task.may_run() {
                task.check_at.get_or_insert(again);
            }
        }
    }

    /// The proxy is told where it is, and whether its owner may come in.
    fn publish(&mut self, addresses: Addresses) {
        self.cluster.reroute = false;
        self.before.push(Action::Publish(Route {
            scheduler: addresses.scheduler,
            dashboard: addresses.dashboard,
            closed: self.cluster.closed,
        }));
    }

    /// Once its owner was shut out, or let in again.
    pub fn reroute(&mut self) {
        if !self.cluster.reroute {
            return;
        }
        match self.cluster.addresses.filter(|_| self.cluster.status == Status::Running) {
            Some(addresses) => self.publish(addresses),
            // nothing is published yet, or no longer: what is will say it
            None => self.cluster.reroute = false,
        }
    }

    fn judge_starting(&mut self) {
        if let Some(addresses) = self.verified_addresses() {
            self.cluster.addresses = Some(addresses);
            self.cluster.status = Status::Running;
            self.cluster.running_at = Some(self.now);
            self.cluster.waiting = None;
            self.cluster.next_try = None;
            for task in self.tasks.iter_mut().map(|t| &mut t.now).filter(|t| t.facts.role == TaskRole::Scheduler) {
                task.check_at = None;
            }
            self.publish(addresses);
            return;
        }
        self.judge_late_schedulers();
        self.count_failed_schedulers();
        if !self.cluster.wants_to_run() {
            return;
        }
        let open = self.launches.iter().any(|l| l.now.spec.role == TaskRole::Scheduler && l.now.state.is_open());
        if self.may_run(TaskRole::Scheduler).next().is_some() {
            let (code, what) = match self.claims_addresses() {
                true => (ReasonCode::WaitingForAddress, "the scheduler's addresses are being verified"),
                false => (ReasonCode::SchedulerStarting, "the scheduler is starting"),
            };
            self.cluster.waiting = Some(Reason::new(code, what));
        } else if !open {
            match self.cluster.next_try.filter(|at| *at > self.now) {
                Some(at) => self.wait_until(at),
                None => match self.holds_back() {
                    Some(why) => self.hold_back(why),
                    None => self.launch_scheduler(),
                },
            }
        }
    }

    fn claims_addresses(&self) -> bool {
        self.heartbeat.content.as_ref().is_some_and(|c| c.scheduler.is_some())
    }

    /// The addresses of the last heartbeat, if each of them is one that only the cluster's own scheduler task can have.
    fn verified_addresses(&mut self) -> Option<Addresses> {
        let content = self.heartbeat.content.as_ref()?;
        let claim = Addresses { scheduler: content.scheduler?, dashboard: content.dashboard, api: content.api? };
        let all = [Some(claim.scheduler), claim.dashboard, Some(claim.api)];
        let owner = self
            .may_run(TaskRole::Scheduler)
            .find(|t| t.stopping.is_none() && all.iter().flatten().all(|a| t.facts.owns(*a)));
        if owner.is_some() {
            return Some(claim);
        }
        // a claim: kept, not used; ask the launcher what the task's addresses are
        let (now, again) = (self.now, self.now + self.policy.check_ms);
        let fresh = self.view.heartbeat.value.due_at.is_some();
        for task in self.tasks.iter_mut().map(|t| &mut t.now) {
            if task.facts.role == TaskRole::Scheduler && task.may_run() {
                let at = if fresh { now } else { again };
                task.check_at = Some(task.check_at.map_or(at, |due| due.min(at)));
            }
        }
        None
    }

    fn judge_late_schedulers(&mut self) {
        let (now, limit, steady) = (self.now, self.policy.cluster_start_timeout_ms, self.view.steady_since);
        let starting: Vec<(TaskId, i64)> = self
            .may_run(TaskRole::Scheduler)
            .filter(|t| t.stopping.is_none())
            .map(|t| (t.facts.id.clone(), t.facts.accepted_at.max(steady) + limit))
            .collect();
        for (id, deadline) in starting {
            if now > deadline {
                let message = format!("the scheduler did not start within {} s", limit / 1000);
                self.stop(&id, ReasonCode::SchedulerStartTimeout, message);
            } else {
                self.wait_until(deadline + 1);
                let again = now + self.policy.check_ms * 4;
                if let Some(task) = self.task_mut(&id) {
                    task.check_at.get_or_insert(again);
                }
            }
        }
    }

    fn count_failed_schedulers(&mut self) {
        let (mut failed, mut lost) = (None, None);
        for task in self.tasks.iter_mut().map(|t| &mut t.now) {
            if task.facts.role == TaskRole::Scheduler && !task.may_run() && !task.failed_start && !task.stray {
                task.failed_start = true;
                if task.facts.capacity_lost {
                    lost = Some(format!("the scheduler lost its place{}", how(Some(task))));
                } else {
                    failed = Some(task.clone());
                    self.cluster.scheduler_failures += 1;
                }
            }
        }
        if let Some(message) = lost {
            self.try_elsewhere(false, message);
        }
        let Some(task) = failed else { return };
        let n = self.cluster.scheduler_failures;
        self.cluster.next_try = Some(self.now + backoff(self.policy.start_backoff_ms, n));
        let message = match &task.stopping {
            Some(why) => why.message.clone(),
            None => format!("the scheduler ended before it was ready{}", how(Some(&task))),
        };
        if n >= self.policy.scheduler_start_failure_limit {
            let code = task.stopping.as_ref().map_or(ReasonCode::SchedulerStartFailed, |why| why.code);
            self.cluster.end(Status::Failed, Reason::new(code, message).with("attempts", n.into()), self.now);
        } else {
            self.cluster.waiting = Some(Reason::new(ReasonCode::SchedulerStarting, format!("{message}; trying again")));
        }
    }

    fn launch_scheduler(&mut self) {
        let spec = scheduler_spec(&self.cluster, self.policy, &self.view.listen, &self.view.api_url);
        self.cluster.waiting = Some(Reason::new(ReasonCode::SchedulerStarting, "the scheduler is being started"));
        self.write_launch(spec, Counts::default());
    }

    /// Writes a launch down; its call follows the save.
    pub fn write_launch(&mut self, spec: LaunchSpec, unit: Counts) {
        self.cluster.launches += 1;
        let id = LaunchId::new(&self.cluster.name, self.cluster.launches);
        self.add_launch(Launch {
            id,
            cluster: self.cluster.name.clone(),
            spec,
            unit,
            state: LaunchState::Pending,
            created_at: self.now,
            not_after: self.now + self.policy.launch_window_ms,
            calls: 0,
            throttled: 0,
            next_try: self.now,
            outcome: None,
            expires_at: None,
        });
    }
}

/// Doubles with each failure, up to 64 times.
pub(super) fn backoff(base: i64, failures: u32) -> i64 {
    base << failures.saturating_sub(1).min(6)
}

/// `: exit code 1: <last line>`, as much of it as is known.
pub(super) fn how(task: Option<&Task>) -> String {
    let Some(facts) = task.map(|t| &t.facts) else { return String::new() };
    let mut text = String::new();
    match (&facts.stop_reason, facts.exit_code) {
        (Some(why), _) => text = format!(": {why}"),
        (None, Some(code)) => text = format!(": exit code {code}"),
        (None, None) => {}
    }
    if let Some(line) = facts.last_lines.iter().rev().find(|l| !l.trim().is_empty()) {
        text += &format!(": {}", line.trim());
    }
    text
}
