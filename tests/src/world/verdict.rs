//! What must be so when the dust has settled.

use super::setup::{END, EPOCH, S};
use super::state::{State, short};
use faregate::model::{Cluster, ClusterName, Counts, LaunchState, Ms, Scope, Status, TaskRole, Usage, effective};

/// Nothing may be written in the last minutes.
pub const QUIET_MS: Ms = 400 * S;
/// And this many turns are too many for one cluster in that time.
const RESTLESS: u64 = 80;
/// What is known is acted on within this time, with no pass to help.
const PROMPT_MS: Ms = 600 * S;

impl State {
    /// Judges the world at its end.
    pub fn judge(&mut self) {
        self.now = EPOCH + END;
        let names: Vec<ClusterName> = self.sagas.keys().cloned().collect();
        for name in names {
            match self.records.clusters.get(&name).map(|c| c.value.clone()) {
                Some(cluster) => self.judge_cluster(&cluster),
                None => self.judge_rest(&name, "is forgotten"),
            }
        }
        self.judge_counters();
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
            if !cluster.charged.keys.contains(&usage.scope) {
                continue;
            }
            sum = sum + Counts::CLUSTER * cluster.charged.counts.clusters;
            let Some(nest) = self.records.nests.get(&cluster.name) else { continue };
            for launch in nest.launches.values().map(|l| &l.value) {
                let tasks = nest.tasks.values().map(|t| &t.value).filter(|t| t.facts.launch == launch.id);
                let units = match launch.state {
                    state if state.is_open() => i64::from(launch.spec.count),
                    LaunchState::Accepted => tasks.filter(|t| !t.settled && !t.stray).count() as i64,
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
            if cluster.active {
                self.breach("ended and listed as active", short(name).into());
            }
            return self.judge_rest(name, cluster.status.as_str());
        }
        let due = cluster.due_at.map(|at| (at - EPOCH) / S);
        let waits = cluster.waiting.as_ref().map(|w| w.message.clone());
        if !cluster.wants_to_run() {
            return self.breach("stuck stopping", format!("{} (due at {due:?} s)", short(name)));
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
        let limits = effective(&cluster.user, &cluster.groups, self.records.limits.in_force());
        let mut room = cluster.config.cluster_max_workers.map_or(i64::MAX, i64::from) - live;
        let of_user = self.workers_of(|saga| saga.user == cluster.user);
        room = room.min(limits.workers.map_or(i64::MAX, |l| l.value) - of_user);
        for (scope, totals) in &limits.totals {
            let group = self.workers_of(|s| s.groups.iter().any(|g| *scope == Scope::Group(g.clone())));
            room = room.min(totals.workers.unwrap_or(i64::MAX) - group);
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
        let mut truth: std::collections::BTreeMap<Scope, (i64, i64)> =
            self.records.usage.keys().map(|scope| (scope.clone(), (0, 0))).collect();
        for cluster in self.records.clusters.values().map(|c| &c.value) {
            let clusters = i64::from(!cluster.status.is_ended());
            let workers = self.live_workers(&cluster.name);
            for scope in &cluster.charged.keys {
                let counted = truth.entry(scope.clone()).or_default();
                *counted = (counted.0 + clusters, counted.1 + workers);
            }
        }
        for (scope, (clusters, workers)) in truth {
            let counts: Counts = self.records.usage.get(&scope).map(|u| u.value.counts).unwrap_or_default();
            if (counts.clusters, counts.workers) != (clusters, workers) || counts.any_negative() {
                let how = format!("{scope}: {counts:?}, in truth {clusters} clusters and {workers} workers");
                self.breach("counters are wrong", how);
            }
        }
    }

    /// At rest nothing is written. What waits (for room) is not at rest.
    fn judge_quiet(&mut self) {
        let from = self.now - QUIET_MS;
        let waiting = self.records.clusters.values().any(|c| c.value.due_at.is_some());
        let late: Vec<String> =
            self.records.written.iter().filter(|(at, _)| *at > from).map(|(_, key)| format!("{key:?}")).collect();
        let turns = self.stats.late_turns;
        if turns > RESTLESS * (self.sagas.len() as u64 + 1) {
            self.breach("restless", format!("{turns} turns in the last {} s", QUIET_MS / S));
        }
        if !waiting && !late.is_empty() {
            self.breach("written at rest", format!("{} items, the last {:?}", late.len(), late.last()));
        }
    }
}
