//! What must hold for what runs, once nothing goes wrong any more and those who enforce it had their time.

use super::accounts::{STOP_MS, larger};
use super::fleet::cap;
use super::scheduler::Dask;
use super::setup::{FAULT_END, S};
use super::state::{State, short};
use faregate_core::limits::{Effective, effective};
use faregate_core::model::{Cluster, Counts, Month, Ms, ReasonCode, Scope, Status, TaskRole};
use std::collections::BTreeMap;

/// After the last fault, before anything is taken for granted.
const SETTLED_MS: Ms = FAULT_END + 400 * S;
/// From one pass to the end of the next.
const PASS_MS: Ms = 75 * S;

impl State {
    /// What applies to a cluster now.
    pub fn limits_of(&self, cluster: &Cluster) -> Effective {
        effective(&cluster.user, &cluster.groups, self.records.limits.in_force())
    }

    /// Until when a cluster may live; none = as long as it likes.
    pub fn deadline(&self, cluster: &Cluster, limits: &Effective) -> Option<Ms> {
        let own = match cluster.extended_until {
            None if cluster.config.lifetime > 0.0 => {
                Some(cluster.created_at + (cluster.config.lifetime * 1000.0) as Ms)
            }
            extended => extended,
        };
        let limit = limits.max_lifetime_ms.as_ref().map(|limit| limit.value);
        let longest = [self.setup.policy.max_lifetime_ms, limit].into_iter().flatten().min();
        [own, longest.map(|longest| cluster.created_at + longest)].into_iter().flatten().min()
    }

    /// Every minute.
    pub fn check_hold(&mut self) {
        if self.age() < SETTLED_MS {
            return;
        }
        let clusters: Vec<Cluster> =
            self.records.clusters.values().map(|c| c.value.clone()).filter(Cluster::wants_to_run).collect();
        for cluster in &clusters {
            let limits = self.limits_of(cluster);
            self.check_times(cluster, &limits);
            self.check_warnings(cluster, &limits);
            self.check_budget(cluster, &limits);
        }
        let edited_at = self.accounts.edited_at();
        let since = self.now - edited_at;
        if since > PASS_MS + STOP_MS {
            for cluster in &clusters {
                if self.limits_of(cluster).frozen.is_some() {
                    self.breach("frozen, and it runs", short(&cluster.name).into());
                }
            }
        }
        if since > PASS_MS + self.setup.policy.retire_ms + STOP_MS {
            self.check_sizes(&clusters);
        }
    }

    /// Nothing is larger than limits allow.
    fn check_sizes(&mut self, clusters: &[Cluster]) {
        let mut ceilings: BTreeMap<Scope, (Counts, i64)> = BTreeMap::new();
        for cluster in clusters {
            let limits = self.limits_of(cluster);
            let most = cap(cluster, &limits);
            let own = self.fleet.live(TaskRole::Worker).filter(|t| t.cluster == cluster.name).count();
            if own as i64 > most {
                self.breach("a cluster larger than its limit", format!("{} has {own} of {most}", short(&cluster.name)));
            }
            for scope in &cluster.reserved.keys {
                let ceiling = limits.ceiling(scope);
                let held = ceilings.entry(scope.clone()).or_insert((ceiling, 0));
                // of clusters that were created as a member of different groups the most generous counts
                held.0 = larger(held.0, ceiling);
                held.1 += 1;
            }
        }
        for (scope, (ceiling, count)) in ceilings {
            let live = Counts { clusters: count, ..self.live_under(&scope) };
            if [
                live.clusters - ceiling.clusters,
                live.workers - ceiling.workers,
                live.millicores - ceiling.millicores,
                live.memory_bytes - ceiling.memory_bytes,
            ]
            .iter()
            .any(|excess| *excess > 0)
            {
                self.breach("over a limit for too long", format!("{scope}: {live:?} of {ceiling:?}"));
            }
        }
    }

    /// Lifetimes and timeouts end clusters.
    fn check_times(&mut self, cluster: &Cluster, limits: &Effective) {
        let grace = PASS_MS + 60 * S;
        // an edit may have moved it into the past
        let edited_at = self.accounts.edited_at();
        if self.deadline(cluster, limits).is_some_and(|at| self.now - at.max(edited_at) > grace) {
            self.breach("it outlives its deadline", short(&cluster.name).into());
        }
        let running_for = cluster.running_at.map_or(0, |at| self.now - at);
        let Some(dask) = self.running_scheduler(cluster) else { return };
        let own = (cluster.config.idle_timeout * 1000.0) as Ms;
        let limit = limits.idle_timeout_ms.as_ref().map_or(0, |limit| limit.value);
        let idle = [own, limit].into_iter().filter(|ms| *ms > 0).min();
        let idle_for = if dask.busy_since.is_some() { 0 } else { self.now - dask.idle_since };
        let clientless = (cluster.config.no_client_timeout * 1000.0) as Ms;
        let clientless_for = dask.clientless_since.map_or(0, |since| self.now - since);
        // a question is asked every half minute, and every minute there is a pass
        let is_new = self.now - edited_at <= grace;
        let answers_for = self.answers_for(dask);
        let late = |timeout: Ms, since: Ms| {
            timeout > 0 && since.min(running_for) > timeout + grace && answers_for > grace && !is_new
        };
        if late(idle.unwrap_or(0), idle_for) {
            self.breach("it outlives its idle timeout", short(&cluster.name).into());
        }
        if late(clientless, clientless_for) {
            self.breach("it lives on without clients", short(&cluster.name).into());
        }
    }

    /// The scheduler that runs for a cluster.
    fn running_scheduler(&self, cluster: &Cluster) -> Option<&Dask> {
        let runs = |index: usize| {
            let task = &self.fleet.tasks[index];
            task.cluster == cluster.name && task.runs()
        };
        self.dask.iter().find(|(index, _)| runs(**index)).map(|(_, dask)| dask)
    }

    /// For how long a scheduler has answered: nobody can ask who is busy, or hangs, nor tell them anything.
    fn answers_for(&self, dask: &Dask) -> Ms {
        if dask.hung { 0 } else { self.now - dask.occupied_until }
    }

    /// What ends soon, and what is nearly spent, is said to those who use it.
    fn check_warnings(&mut self, cluster: &Cluster, limits: &Effective) {
        let (now, policy) = (self.now, &self.setup.policy);
        let share = f64::from(policy.budget_warning_percent) / 100.0;
        let spent = self.spent(&cluster.user, Month::of(now), now);
        let ends_soon = self.deadline(cluster, limits).is_some_and(|at| now > at - policy.lifetime_warning_ms);
        let nearly_spent = limits.budget.as_ref().is_some_and(|budget| spent > budget.value * share);
        let deaf = self.running_scheduler(cluster).is_none_or(|dask| self.answers_for(dask) <= 0);
        for (due, code) in [(ends_soon, ReasonCode::MaxLifetime), (nearly_spent, ReasonCode::Budget)] {
            let key = (cluster.name.clone(), code);
            let told = cluster.warnings.iter().any(|warning| warning.code == code);
            if !due || told || deaf || cluster.status != Status::Running {
                self.accounts.untold.remove(&key);
                continue;
            }
            let since = *self.accounts.untold.entry(key).or_insert(now);
            if now - since > PASS_MS + 60 * S {
                self.breach("nobody was warned", format!("{} of {code:?}", short(&cluster.name)));
            }
        }
    }

    /// A spent budget ends clusters.
    fn check_budget(&mut self, cluster: &Cluster, limits: &Effective) {
        let now = self.now;
        let key = cluster.name.clone();
        if !self.is_over_budget(&cluster.user, limits, now) {
            self.accounts.over_budget.remove(&key);
            return;
        }
        let since = *self.accounts.over_budget.entry(key).or_insert(now);
        if now - since > PASS_MS + 60 * S {
            let spent = self.spent(&cluster.user, Month::of(now), now);
            let how = format!("{} spent {spent:.4} of {:?}", cluster.user, limits.budget);
            self.breach("over the budget for too long", how);
        }
    }
}
