//! What must be so when the dust has settled.

use super::fleet::cap;
use super::ground_truth::GroundTruth;
use super::setup::{END, S};
use super::state::{State, short};
use faregate_core::limits::effective;
use faregate_core::model::{Cluster, ClusterName, Counts, LaunchState, Ms, Scope, Status, TaskRole, Usage};
use std::collections::BTreeMap;

/// Nothing may be written in the last minutes.
pub const QUIET_MS: Ms = 400 * S;
/// And this many turns are too many for one cluster in that time.
const RESTLESS: u64 = 80;
/// What is known is acted on within this time, with no pass to help.
const PROMPT_MS: Ms = 600 * S;

impl State {
    /// Judges the world at its end.
    pub fn judge(&mut self) {
        self.now = self.setup.epoch + END;
        self.stats.connected = self.dask.values().map(|dask| dask.connected.len() as u64).sum();
        let names: Vec<ClusterName> = self.ground_truths.keys().cloned().collect();
        for name in names {
            match self.records.clusters.get(&name).map(|c| c.value.clone()) {
                Some(cluster) => self.judge_cluster(&cluster),
                None => self.judge_rest(&name, "is forgotten"),
            }
        }
        self.judge_counters();
        self.judge_ledger();
        self.judge_limits();
        self.judge_quiet();
    }

    /// While no pass comes to help: what was written down is acted on soon.
    pub fn check_promptness(&mut self) {
        if !self.is_within(self.setup.no_passes.map(|(from, to)| (from + PROMPT_MS, to))) {
            return;
        }
        let mut late = Vec::new();
        for (name, nest) in &self.records.nests {
            for task in nest.tasks.values().map(|t| &t.value).filter(|t| !t.settled) {
                let accepted =
                    nest.launches.get(&task.facts.launch).is_some_and(|l| l.value.state == LaunchState::Accepted);
                let known = self.known_ends.get(&task.facts.id).is_some_and(|at| self.now - at > PROMPT_MS);
                if accepted && known {
                    late.push(("what a task did was not acted on", name.clone()));
                }
            }
            let Some(heartbeat) = nest.heartbeat.as_ref().map(|h| &h.value) else { continue };
            let talks = heartbeat.seen_at.is_some_and(|at| self.now - at < 60 * S);
            if talks && heartbeat.accepting && heartbeat.due_at.is_some_and(|at| self.now - at > PROMPT_MS) {
                late.push(("what a heartbeat said was not acted on", name.clone()));
            }
        }
        for (what, name) in late {
            self.breach(what, short(&name).into());
        }
    }

    /// A recount has written a counter: it is what the records say at this moment.
    pub fn check_recount(&mut self, usage: &Usage) {
        let mut sum = Counts::default();
        for cluster in self.records.clusters.values().map(|c| &c.value) {
            if !cluster.reserved.keys.contains(&usage.scope) {
                continue;
            }
            sum = sum + Counts::CLUSTER * cluster.reserved.counts.clusters;
            let Some(nest) = self.records.nests.get(&cluster.name) else { continue };
            for launch in nest.launches.values().map(|l| &l.value) {
                let tasks = nest.tasks.values().map(|t| &t.value).filter(|t| t.facts.launch == launch.id);
                let units = match launch.state {
                    state if state.is_open() => i64::from(launch.spec.count),
                    LaunchState::Accepted => tasks.filter(|t| !t.settled && !t.orphan).count() as i64,
                    _ => 0,
                };
                sum = sum + launch.unit * units;
            }
        }
        if sum != usage.counts {
            self.breach("a recount is wrong", format!("{usage:?}, by the records {sum:?}"));
        }
    }

    fn live_workers(&self, name: &ClusterName) -> i64 {
        self.fleet.live(TaskRole::Worker).filter(|t| t.cluster == *name).count() as i64
    }

    /// A cluster that has ended leaves nothing.
    fn judge_rest(&mut self, name: &ClusterName, how: &str) {
        let live: Vec<String> = self
            .fleet
            .tasks
            .iter()
            .filter(|t| t.lives() && t.cluster == *name)
            .map(|t| t.facts.id.to_string())
            .collect();
        if !live.is_empty() {
            self.breach("leaked", format!("{} {how}, and {live:?} run", short(name)));
        }
        if self.credentials.contains(name) {
            self.breach("credentials left behind", format!("{} {how}", short(name)));
        }
        if self.routes.contains_key(name) {
            self.breach("a route left behind", format!("{} {how}", short(name)));
        }
    }

    fn judge_cluster(&mut self, cluster: &Cluster) {
        let name = &cluster.name;
        if cluster.status.is_ended() {
            let landing = 2 * self.setup.policy.max_call_ms + 100 * S;
            if cluster.active && cluster.stopped_at.is_some_and(|at| self.now - at > landing) {
                self.breach("ended and listed as active", short(name).into());
            }
            return self.judge_rest(name, cluster.status.as_str());
        }
        let due = cluster.due_at.map(|at| (at - self.setup.epoch) / S);
        let waits = cluster.waiting.as_ref().map(|w| w.message.clone());
        if !cluster.wants_to_run() {
            return self.breach("stuck stopping", format!("{} (due at {due:?} s)", short(name)));
        }
        if cluster.status == Status::Pending && self.limits_of(cluster).unreadable().is_some() {
            return; // nothing new starts
        }
        if cluster.status == Status::Pending {
            return self.breach("stuck pending", format!("{} (due at {due:?} s, {waits:?})", short(name)));
        }
        let scheduler =
            self.dask.keys().copied().find(|i| self.fleet.tasks[*i].cluster == *name && self.fleet.tasks[*i].runs());
        let Some(scheduler) = scheduler else {
            return self.breach("running with a dead scheduler", short(name).into());
        };
        if !self.is_healthy(scheduler) {
            return self.breach("running with a hung scheduler", short(name).into());
        }
        self.judge_fleet(cluster, scheduler, waits);
    }

    fn judge_fleet(&mut self, cluster: &Cluster, scheduler: usize, waits: Option<String>) {
        let name = &cluster.name;
        let (wanted, have) = (i64::from(self.dask[&scheduler].count), self.dask[&scheduler].connected.len() as i64);
        let live = self.live_workers(name);
        let limits = self.limits_of(cluster);
        let mut room = cap(cluster, &limits).saturating_sub(live);
        let unit = cluster.config.worker_unit();
        for scope in &cluster.reserved.keys {
            let (used, ceiling) = (self.live_under(scope), limits.ceiling(scope));
            room = room.min(ceiling.workers - used.workers);
            room = room.min((ceiling.millicores - used.millicores) / unit.millicores.max(1));
            room = room.min((ceiling.memory_bytes - used.memory_bytes) / unit.memory_bytes.max(1));
        }
        if self.is_budget_spent(cluster) || limits.unreadable().is_some() {
            room = 0;
        }
        if have < wanted && room > 0 {
            let how = format!("{} wants {wanted}, has {have}, room for {room} ({waits:?})", short(name));
            self.breach("starved", how);
        }
        if live > wanted {
            self.breach("excess", format!("{} wants {wanted}, {live} run", short(name)));
        }
    }

    /// Counters say what is so.
    fn judge_counters(&mut self) {
        let mut truth: BTreeMap<Scope, Counts> =
            self.records.usage.keys().map(|scope| (scope.clone(), Counts::default())).collect();
        for cluster in self.records.clusters.values().map(|c| &c.value) {
            let clusters = Counts::CLUSTER * i64::from(!cluster.status.is_ended());
            let workers = cluster.config.worker_unit() * self.live_workers(&cluster.name);
            for scope in &cluster.reserved.keys {
                let counted = truth.entry(scope.clone()).or_default();
                *counted = *counted + clusters + workers;
            }
        }
        for (scope, truth) in truth {
            let counts: Counts = self.records.usage.get(&scope).map(|u| u.value.counts).unwrap_or_default();
            if counts != truth {
                self.breach("counters are wrong", format!("{scope}: {counts:?}, in truth {truth:?}"));
            }
            if self.setup.all_stopped && !counts.is_zero() {
                self.breach("all is stopped, and something is counted", format!("{scope}: {counts:?}"));
            }
        }
    }

    /// What is frozen has ended, and good limits are kept for the day on which they are spoilt.
    fn judge_limits(&mut self) {
        let ground_truths: Vec<(String, Vec<String>)> = self
            .ground_truths
            .values()
            .map(|ground_truth| (ground_truth.user.clone(), ground_truth.groups.clone()))
            .collect();
        for (user, groups) in ground_truths {
            let frozen = effective(&user, &groups, self.records.limits.in_force()).frozen.is_some();
            let is_theirs = |ground_truth: &GroundTruth| ground_truth.user == user && ground_truth.groups == groups;
            if frozen
                && self
                    .fleet
                    .tasks
                    .iter()
                    .any(|t| t.lives() && self.ground_truths.get(&t.cluster).is_some_and(is_theirs))
            {
                self.breach("frozen, and tasks run", user);
            }
        }
        let unkept: Vec<String> = self.records.limits.unkept().iter().map(ToString::to_string).collect();
        if !unkept.is_empty() {
            self.breach("limits were not kept", unkept.join(", "));
        }
    }

    /// At rest nothing is written. What waits (for room) is not at rest.
    fn judge_quiet(&mut self) {
        let from = self.now - QUIET_MS;
        let waiting = self.records.clusters.values().any(|c| c.value.due_at.is_some());
        // what ends by itself, or is warned of that, writes; so does what a budget is spent on
        let lately = from - 600 * S;
        let ending = self.records.clusters.values().map(|c| &c.value).any(|cluster| {
            let limits = self.limits_of(cluster);
            let soon = self.now + self.setup.policy.lifetime_warning_ms;
            let warned = cluster.wants_to_run() && self.deadline(cluster, &limits).is_some_and(|at| at < soon);
            cluster.stopping_at.is_some_and(|at| at > lately) || warned || limits.budget.is_some()
        });
        let edited = self.accounts.edited_at() > lately;
        let waiting = waiting || ending || edited;
        let late: Vec<String> =
            self.records.written.iter().filter(|(at, _)| *at > from).map(|(_, key)| format!("{key:?}")).collect();
        let turns = self.stats.late_turns;
        if turns > RESTLESS * (self.ground_truths.len() as u64 + 1) {
            self.breach("restless", format!("{turns} turns in the last {} s", QUIET_MS / S));
        }
        if !waiting && !late.is_empty() {
            self.breach("written at rest", format!("{} items, the last {:?}", late.len(), late.last()));
        }
    }
}
