//! The workers: as many as are wanted, and no more than there is room for.

use super::draft::Draft;
use super::room::cap;
use super::scheduler::{backoff, how};
use super::spec::worker_spec;
use super::unconnected::asks;
use crate::model::{Launch, LaunchId, LaunchState, Reason, ReasonCode, Status, TaskId, TaskRole};

impl Draft<'_> {
    /// Who is late, who ended before the scheduler knew it, who was closed for good.
    pub fn judge_workers(&mut self) {
        self.forgive_failures();
        let (now, limit, check) = (self.now, self.policy.worker_start_timeout_ms, self.policy.check_ms);
        let mut late: Vec<(TaskId, ReasonCode, String)> = Vec::new();
        let mut failed: Vec<String> = Vec::new();
        let mut lost: Option<(LaunchId, String)> = None;
        let mut dues = Vec::new();
        let mut room = self.room();
        // a scheduler that retires workers tells nothing for as long as that takes: nobody is late until it has spoken again
        // (without a digest, what it said last is not whole)
        let heard_at = self.heartbeat.seen_at.filter(|_| self.heartbeat.digest.is_some()).unwrap_or(0);
        let ask_again = now + self.policy.heartbeat_period_ms;
        // nor for as long again after one was busy: what waited for it connects after its first word
        let is_busy = self.cluster.unanswered > 0;
        let steady_since = self.view.steady_since.max(self.cluster.answered_at.unwrap_or(0));
        let may_ask = self.cluster.addresses.is_some_and(|addresses| addresses.dashboard.is_some());
        for task in self.tasks.iter_mut().map(|t| &mut t.now).filter(|t| t.facts.role == TaskRole::Worker) {
            if task.stopping.is_some() || task.stray {
                continue;
            }
            if task.may_run() {
                let (since, code, what) = match (task.registered_at, task.closed_since) {
                    (None, _) => (task.facts.accepted_at, ReasonCode::WorkerStartTimeout, "did not connect"),
                    (Some(_), Some(since)) => (since, ReasonCode::WorkerLost, "did not come back"),
                    (Some(_), None) => continue,
                };
                let since = since.max(steady_since);
                if now > since + limit && (is_busy || heard_at <= since + limit) {
                    dues.push(ask_again);
                } else if now > since + limit
                    && code == ReasonCode::WorkerLost
                    && task.late_at.is_none_or(|at| heard_at <= at)
                {
                    // it may be the first word of a scheduler that was busy, of which nobody noticed: the next one confirms it
                    if task.late_at.is_none() && room > 0 {
                        room -= 1;
                        task.late_at = Some(heard_at);
                    }
                    dues.push(ask_again);
                } else if now > since + limit {
                    if room == 0 {
                        dues.push(now);
                        break;
                    }
                    room -= 1;
                    let message = format!("the worker {what} within {} s", limit / 1000);
                    if code == ReasonCode::WorkerStartTimeout {
                        task.failed_start = true;
                        failed.push(message.clone());
                    }
                    late.push((task.facts.id.clone(), code, message));
                } else {
                    dues.push(since + limit + 1);
                    if task.closed_since.is_some() {
                        task.check_at.get_or_insert(now + check);
                    }
                }
            } else if task.registered_at.is_none() && !task.failed_start && task.facts.capacity_lost {
                if room == 0 {
                    dues.push(now);
                    break;
                }
                room -= 1;
                task.failed_start = true;
                lost = Some((task.facts.launch.clone(), format!("a worker lost its place{}", how(Some(task)))));
            } else if task.registered_at.is_none() && !task.failed_start {
                // unless the scheduler has said so: the heartbeat that names it may still be on its way
                let stopped_at = task.facts.stopped_at.unwrap_or(now);
                let never_seen = self.never_seen.contains(&task.facts.id);
                let judged_at = if never_seen { now } else { stopped_at + check };
                let is_told = never_seen || (now >= judged_at && heard_at > stopped_at);
                if !is_told && may_ask && room > 0 && asks(task, now, now + check) {
                    room -= 1;
                    self.to_ask.push(task.facts.id.clone());
                }
                if now >= judged_at && !is_told {
                    dues.push(ask_again);
                } else if now >= judged_at {
                    if room == 0 {
                        dues.push(now);
                        break;
                    }
                    room -= 1;
                    task.failed_start = true;
                    task.check_at = None;
                    failed.push(format!("a worker ended before it connected{}", how(Some(task))));
                } else {
                    dues.push(judged_at);
                }
            }
        }
        for at in dues {
            self.wait_until(at);
        }
        for (id, code, message) in late {
            self.stop(&id, code, message);
        }
        for message in failed {
            self.worker_failed(&message);
        }
        if let Some((launch, message)) = lost {
            let spot = self.launch(&launch).is_some_and(|launch| launch.spec.fargate.spot);
            self.try_elsewhere(spot, message);
        }
    }

    /// Failures count in a row: one that connected after the last of them makes them good.
    fn forgive_failures(&mut self) {
        let limit = self.policy.worker_start_timeout_ms;
        let workers = self.tasks.iter().map(|t| &t.now).filter(|t| t.facts.role == TaskRole::Worker);
        let failed = workers.clone().filter(|t| t.failed_start && !t.facts.capacity_lost).map(|t| {
            match (&t.stopping, t.facts.stopped_at) {
                (None, Some(stopped_at)) => stopped_at,
                _ => t.facts.accepted_at + limit,
            }
        });
        let is_rejected = |l: &&Launch| l.outcome.as_ref().is_some_and(|o| o.code == ReasonCode::LaunchRejected);
        let rejected = self.launches.iter().map(|l| &l.now).filter(is_rejected).map(|l| l.created_at);
        let connected = workers.filter(|t| !t.failed_start).filter_map(|t| t.registered_at);
        if connected.max() > failed.chain(rejected).max() {
            self.cluster.worker_failures = 0;
        }
    }

    /// Counts a start failure; too many in a row end the cluster.
    pub fn worker_failed(&mut self, message: &str) {
        self.cluster.worker_failures += 1;
        let n = self.cluster.worker_failures;
        if n >= self.policy.worker_start_failure_limit {
            let message = format!("{n} workers in a row failed to start; the last: {message}");
            let reason = Reason::new(ReasonCode::WorkerStartFailed, message).with("failures", n.into());
            self.cluster.end(Status::Failed, reason, self.now);
        } else {
            self.cluster.next_try = Some(self.now + backoff(self.policy.start_backoff_ms, n));
        }
    }

    /// Starts what is missing, stops what nobody wants any more and the scheduler does not know.
    pub fn launch_what_is_missing(&mut self) {
        if self.cluster.status != Status::Running {
            return;
        }
        let asked = i64::from(self.cluster.count);
        let cap = cap(&self.cluster, &self.view.limits);
        let cap_workers = cap.as_ref().map_or(i64::MAX, |cap| i64::from(cap.workers));
        let wanted = asked.min(cap_workers).min(self.keep());
        let live = self
            .tasks
            .iter()
            .map(|t| &t.now)
            .filter(|t| t.facts.role == TaskRole::Worker && t.stopping.is_none() && !t.stray)
            // one that ended unconnected is replaced once it is judged, so that a broken command does not start a storm
            .filter(|t| (t.may_run() && !t.leaving) || (!t.may_run() && t.registered_at.is_none() && !t.failed_start))
            .count() as i64;
        let have = live + self.worker_slots_on_the_way();
        let may_exist = self.may_run(TaskRole::Worker).count() as i64 + self.open_worker_slots(|_| true);
        let wait = if asked - have == 1 { "waits" } else { "wait" };
        let short = format!("{have} of {asked} workers are running or on the way; {} {wait}", asked - have);
        if wanted > have {
            self.launch_workers(wanted - have, cap_workers - may_exist, &short);
        } else if let Some(cap) = cap.filter(|_| asked > have && have >= cap_workers) {
            let message = format!("{short}: the limit {} allows it {} ({may_exist} in use)", cap.limit, cap.workers);
            self.wait_for_room(message, asked - have, cap.by_admin);
            self.drop_excess(have - wanted, have - asked);
        } else {
            self.cluster.waiting = None;
            self.cluster.next_try = None;
            self.drop_excess(have - wanted, have - asked);
        }
        self.say_that_a_limit_is_lowered();
    }

    /// Workers that a launch which is still wanted may bring.
    fn worker_slots_on_the_way(&self) -> i64 {
        self.open_worker_slots(|state| state != LaunchState::Cancelled)
    }

    /// Workers of open launches that are not known yet.
    fn open_worker_slots(&self, which: impl Fn(LaunchState) -> bool) -> i64 {
        self.launches
            .iter()
            .map(|l| &l.now)
            .filter(|l| l.spec.role == TaskRole::Worker && l.state.is_open() && which(l.state))
            .map(|l| i64::from(l.spec.count) - i64::from(self.known_tasks(&l.id)))
            .sum()
    }

    fn launch_workers(&mut self, missing: i64, room_in_cluster: i64, short: &str) {
        if let Some(at) = self.cluster.next_try.filter(|at| *at > self.now) {
            return self.wait_until(at);
        }
        if let Some(why) = self.holds_back() {
            return self.hold_back(why);
        }
        let unit = self.cluster.config.worker_unit();
        let room = self.room_under_limits(unit);
        let count = missing
            .min(room_in_cluster)
            .min(room.as_ref().map_or(i64::MAX, |room| room.workers))
            .min(i64::from(self.policy.tasks_per_launch));
        if count <= 0 {
            let message = match room.filter(|room| room.workers <= 0) {
                Some(room) => format!("{short} for room: the limit {}", room.full),
                None => format!("{short} until others of the cluster are gone"),
            };
            return self.wait_for_room(message, missing, true);
        }
        if !self.has_room() {
            return self.due(self.now);
        }
        let slot = self.launch_slot(count as u32);
        if slot > self.now {
            return self.wait_until(slot);
        }
        let Some(addresses) = self.cluster.addresses else { return };
        let tasks = (count as u32, self.may_use_spot());
        let spec = worker_spec(&self.cluster, tasks, addresses.scheduler, &self.view.listen, &self.view.api_url);
        self.cluster.waiting = None;
        self.write_launch(spec, unit);
    }

    /// Launches that were not called yet, beyond what may be; then workers that never connected, youngest first, beyond what the
    /// scheduler asks for: under a limit it counts on those that no heartbeat has named yet. The others are the scheduler's to retire.
    fn drop_excess(&mut self, mut excess: i64, mut unasked: i64) {
        for i in (0..self.launches.len()).rev() {
            let launch = &self.launches[i].now;
            let uncalled = launch.state == LaunchState::Pending && launch.calls == 0;
            let count = i64::from(launch.spec.count);
            if uncalled && launch.spec.role == TaskRole::Worker && count <= excess {
                excess -= count;
                unasked -= count;
                let id = launch.id.clone();
                self.release(&id, LaunchState::NotAccepted);
            }
        }
        let mut unconnected: Vec<_> = self
            .may_run(TaskRole::Worker)
            .filter(|t| t.registered_at.is_none() && t.stopping.is_none() && !t.leaving)
            .map(|t| (t.facts.accepted_at, t.facts.id.clone()))
            .collect();
        unconnected.sort();
        let most = (unasked.max(0) as usize).min(self.room());
        for (_, id) in unconnected.into_iter().rev().take(most) {
            self.stop(&id, ReasonCode::WorkerExcess, "fewer workers are wanted");
        }
    }
}
