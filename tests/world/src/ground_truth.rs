//! What truly happened to each cluster, as only the world can know, to judge the gateway's verdicts by.

use super::fleet::cap;
use super::setup::S;
use super::state::{State, short};
use faregate_core::limits::Effective;
use faregate_core::model::{Cluster, ClusterName, LaunchId, Ms, Reason, ReasonCode, Scope, Status, TaskRole};
use std::collections::BTreeSet;

/// A cluster's true story.
#[derive(Clone, Debug, Default)]
pub struct GroundTruth {
    /// Whose it is.
    pub user: String,
    /// The owner's groups.
    pub groups: Vec<String>,
    /// Its user asked for its end.
    pub stop_asked: bool,
    /// Its scheduler ended by itself, well.
    pub exited: bool,
    /// Schedulers that died unasked.
    pub schedulers_died: u32,
    /// Its scheduler was busy for minutes.
    pub was_busy: bool,
    /// Its scheduler hung.
    pub hung: bool,
    /// Launches of which a worker truly failed to start.
    pub failed_launches: BTreeSet<LaunchId>,
    /// There were more clusters than a limit allows when it was told to make room.
    pub one_too_many: bool,
    /// It has reached RUNNING.
    pub ran: bool,
    /// The last time that its user asked for it, and was answered.
    pub asked_at: Ms,
    /// The last time that its user or fate changed anything about it.
    pub touched_at: Ms,
}

impl State {
    /// A task dies, and nobody asked it to.
    pub fn note_death(&mut self, index: usize, code: i32) {
        let (now, task) = (self.now, &self.fleet.tasks[index]);
        let (cluster, role, connected) = (task.cluster.clone(), task.facts.role, task.connected_at);
        let launch = task.facts.launch.clone();
        let ground_truth = self.ground_truth(&cluster);
        ground_truth.touched_at = now;
        match role {
            TaskRole::Scheduler if code == 0 => ground_truth.exited = true,
            TaskRole::Scheduler => ground_truth.schedulers_died += 1,
            // one that connected and died before any heartbeat could tell counts as well
            TaskRole::Worker if connected.is_none_or(|at| now - at < 240 * S) => {
                ground_truth.failed_launches.insert(launch);
            }
            TaskRole::Worker => {}
        }
    }

    /// A request to stop has its effect: is its reason true?
    pub fn check_end(&mut self, name: &ClusterName, target: Status, reason: &Reason) {
        let limit = self.setup.policy.worker_start_failure_limit;
        let setup = &self.setup;
        let was_away = [setup.outage, setup.front_door_shut, setup.cut_off].iter().any(Option::is_some);
        let ground_truth = self.ground_truth(name).clone();
        let late = self.late_launches(name);
        let true_enough = match reason.code {
            ReasonCode::UserStopped => ground_truth.stop_asked,
            ReasonCode::SchedulerExited => ground_truth.exited,
            ReasonCode::SchedulerFailed => ground_truth.schedulers_died > 0,
            ReasonCode::SchedulerStartFailed | ReasonCode::SchedulerStartTimeout => {
                ground_truth.schedulers_died > 0 || was_away
            }
            ReasonCode::HeartbeatTimeout => {
                let is_ours = ground_truth.was_busy && was_away || self.is_cut_off_alone();
                ground_truth.hung || ground_truth.exited || ground_truth.schedulers_died > 0 || is_ours
            }
            ReasonCode::WorkerStartFailed => {
                let failed = ground_truth.failed_launches.union(&late).count() as u32;
                let is_mute = was_away || ground_truth.hung || ground_truth.was_busy;
                let failed = failed >= limit || ground_truth.hung || failed > 0 && self.was_idle(name);
                failed && (is_mute || !self.has_proof(name))
            }
            ReasonCode::IdleTimeout => self.was_idle(name),
            ReasonCode::AdminStopped => ground_truth.stop_asked,
            ReasonCode::Unclaimed => self.is_unclaimed(name),
            _ => self.is_due_by_limits(name, reason.code),
        };
        self.say(|| format!("  {} turns towards {target:?}: {}", short(name), reason.message));
        self.ends.push(reason.clone());
        if !true_enough {
            let how = format!("{} {target:?}: {} ({ground_truth:?}, late {late:?})", short(name), reason.message);
            self.breach("wrongly ended", how);
        }
    }

    /// Has no client connected, but perhaps while it was being asked, and has nobody asked for long enough?
    fn is_unclaimed(&self, name: &ClusterName) -> bool {
        // clients find their way to one that runs
        let own = self.dask.iter().map(|(i, dask)| (&self.fleet.tasks[*i], dask));
        let own = own.filter(|(task, _)| task.cluster == *name && task.runs());
        let connected: Vec<Ms> = own.filter_map(|(_, dask)| dask.claimed_at).collect();
        let asked_at = self.ground_truths.get(name).map_or(self.now, |ground_truth| ground_truth.asked_at);
        let timeout = self.setup.policy.unclaimed_timeout_ms;
        connected.into_iter().all(|at| self.now - at < 200 * S) && timeout > 0 && self.now - asked_at >= timeout
    }

    /// Its user was told of it, and had begun to ask at `at`.
    pub fn note_asked(&mut self, name: &ClusterName, at: Ms) {
        let ground_truth = self.ground_truth(name);
        ground_truth.asked_at = ground_truth.asked_at.max(at);
    }

    /// Is it true of any limits that whoever ends the cluster may know?
    fn is_due_by_limits(&self, name: &ClusterName, code: ReasonCode) -> bool {
        let Some(cluster) = self.records.clusters.get(name).map(|c| c.value.clone()) else { return false };
        let (now, wall) = (self.now, self.wall());
        let known = self.accounts.limits_since(now - self.staleness(), &cluster.user, &cluster.groups);
        match code {
            ReasonCode::Frozen => known.iter().any(|limits| limits.frozen.is_some()),
            ReasonCode::MaxLifetime => {
                let is_over =
                    |limits: &Effective| self.deadline(&cluster, limits).is_some_and(|at| at <= wall.max(now));
                known.iter().any(is_over)
            }
            ReasonCode::NoClient => {
                let own = self.dask.iter().filter(|(i, _)| self.fleet.tasks[**i].cluster == *name);
                own.into_iter().any(|(_, dask)| dask.clientless_since.is_some() || now - dask.client_since < 200 * S)
            }
            ReasonCode::Budget => self.was_over_budget(&cluster),
            ReasonCode::LimitLowered => {
                self.ground_truths.get(name).is_some_and(|ground_truth| ground_truth.one_too_many)
            }
            _ => false,
        }
    }

    /// A cluster is told to become smaller, or to end: is it too large, or one too many?
    pub fn check_shrink(&mut self, cluster: &Cluster) {
        let Some(shrink) = &cluster.shrink else { return };
        let known = self.accounts.limits_since(self.now - self.staleness(), &cluster.user, &cluster.groups);
        // whoever says so read the counters a little ago
        let read_at = self.now - 2 * self.setup.policy.max_call_ms;
        let held = |scope: &Scope| self.accounts.most_counted_since(read_at, scope);
        let is_over = |limits: &Effective| {
            cluster.reserved.keys.iter().any(|scope| {
                let (held, ceiling) = (held(scope), limits.ceiling(scope));
                match shrink.end {
                    true => held.clusters > ceiling.clusters,
                    false => {
                        held.workers > ceiling.workers
                            || held.millicores > ceiling.millicores
                            || held.memory_bytes > ceiling.memory_bytes
                    }
                }
            }) || !shrink.end && cluster.reserved.counts.workers > cap(cluster, limits)
        };
        let is_true = known.iter().any(is_over);
        if shrink.end {
            self.ground_truth(&cluster.name).one_too_many |= is_true;
        }
        if !is_true {
            self.breach("told to shrink for nothing", format!("{}: {}", short(&cluster.name), shrink.reason.message));
        }
    }

    /// No scheduler can be reached, and there are too few for that to look like our own fault.
    fn is_cut_off_alone(&self) -> bool {
        let policy = &self.setup.policy;
        let running = self.records.clusters.values().filter(|c| c.value.status == Status::Running).count();
        self.setup.cut_off.is_some_and(|(from, _)| self.age() >= from) && running < policy.mass_silence_least
    }

    /// Has any worker been connected for so long that heartbeats have told of it, and turns have followed them?
    fn has_proof(&self, name: &ClusterName) -> bool {
        let lasted =
            |at: Ms, stopped: Option<Ms>| stopped.map_or(self.now, |stopped| self.truly(stopped)) - at > 300 * S;
        let known = |at: Ms, stopped| self.now - at > 400 * S && lasted(at, stopped);
        let workers = self.fleet.tasks.iter().filter(|t| t.facts.role == TaskRole::Worker && t.cluster == *name);
        workers.into_iter().any(|t| t.connected_at.is_some_and(|at| known(at, t.facts.stopped_at)))
    }

    /// Launches of which a worker did not connect in time, or only just.
    fn late_launches(&self, name: &ClusterName) -> BTreeSet<LaunchId> {
        let limit = self.setup.policy.worker_start_timeout_ms;
        let late = |accepted: Ms, connected: Option<Ms>| connected.unwrap_or(self.now) - accepted > limit - 30 * S;
        let workers = self.fleet.tasks.iter().filter(|t| t.facts.role == TaskRole::Worker && t.cluster == *name);
        let late = workers.filter(|t| late(self.truly(t.facts.accepted_at), t.connected_at));
        late.map(|t| t.facts.launch.clone()).collect()
    }

    /// Was its scheduler idle at any time that the question may have been asked at?
    fn was_idle(&self, name: &ClusterName) -> bool {
        let asked_after = self.now - 200 * S;
        let schedulers = self.dask.iter().filter(|(i, _)| self.fleet.tasks[**i].cluster == *name);
        schedulers.into_iter().any(|(_, dask)| dask.busy_since.is_none_or(|since| since > asked_after))
    }

    /// A worker is told to stop: if as lost, it must not be one that is only restarting.
    pub fn check_stop(&mut self, index: usize) {
        let task = &self.fleet.tasks[index];
        let (cluster, id) = (task.cluster.clone(), task.facts.id.clone());
        let restarted =
            task.restarting.is_none_or(|since| self.now - since < self.setup.policy.worker_start_timeout_ms);
        let healthy = task.connected_at.is_some() && task.runs() && restarted && !task.stop_asked;
        let nest = self.records.nests.get(&cluster);
        let why = nest.and_then(|n| n.tasks.get(&id)).and_then(|t| t.value.stopping.as_ref()).map(|r| r.code);
        let hung = self.ground_truths.get(&cluster).is_some_and(|s| s.hung || s.schedulers_died > 0);
        let wanted = self.records.clusters.get(&cluster).is_some_and(|c| c.value.wants_to_run());
        let launch = self.fleet.tasks[index].facts.launch.clone();
        if wanted && why == Some(ReasonCode::NotWanted) && !self.fleet.refused.contains(&launch) {
            self.breach("a wanted task was stopped", format!("{id} of {}", short(&cluster)));
        }
        if healthy && !hung && why == Some(ReasonCode::WorkerLost) {
            self.breach("a worker that was only restarting was stopped", format!("{id} of {}", short(&cluster)));
        }
    }
}
