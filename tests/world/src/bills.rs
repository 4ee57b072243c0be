//! The ledger against the fleet: what every task truly used, to the millisecond, and nothing else.

use super::setup::S;
use super::state::{State, short};
use faregate_core::limits::{Effective, effective};
use faregate_core::model::{Amount, Cluster, ClusterName, LaunchId, Metered, Month, Ms, TaskFacts, TaskState};
use std::collections::BTreeMap;

/// An end younger than this may not be settled yet.
const YOUNG_MS: Ms = 300 * S;

impl State {
    /// What a task has cost by `now`, by these facts of it.
    fn bill(&self, facts: &TaskFacts, now: Ms) -> BTreeMap<Month, Amount> {
        let policy = &self.setup.policy;
        let Some(from) = facts.pulled_at.or(facts.started_at) else { return BTreeMap::new() };
        let to = facts.stopped_at.unwrap_or(now).max(from + policy.billing_minimum_ms);
        let Some(metered) = self.metered(&facts.launch, facts) else { return BTreeMap::new() };
        let mut bill = BTreeMap::new();
        let mut month = Month::of(from);
        while month.start() < to {
            let ms = to.min(month.end()) - from.max(month.start());
            if ms > 0 {
                bill.insert(month, metered.amount(ms));
            }
            month = month.next();
        }
        bill
    }

    fn metered(&self, launch: &LaunchId, facts: &TaskFacts) -> Option<Metered> {
        let spec = &self.fleet.tokens.get(launch)?.0;
        Some(Metered {
            millicores: (spec.cores * 1000.0) as i64,
            mib: (spec.memory_bytes / (1 << 20)) as i64,
            spot: facts.capacity.as_deref() == Some("FARGATE_SPOT"),
            rates: self.setup.policy.prices.default,
        })
    }

    /// Every task is billed for what it used, and the ledger holds these bills and no others.
    pub fn judge_ledger(&mut self) {
        let mut sums: BTreeMap<(Month, ClusterName), Amount> = BTreeMap::new();
        for noted in self.accounts.tasks.values() {
            for (month, amount) in &noted.billed {
                *sums.entry((*month, noted.cluster.clone())).or_default() += *amount;
            }
        }
        let mut ledger: BTreeMap<(Month, ClusterName), Amount> = BTreeMap::new();
        for ((month, name), (user, amount)) in &self.records.ledger.0 {
            ledger.insert((*month, name.clone()), *amount);
            if self.ground_truths.get(name).is_none_or(|ground_truth| ground_truth.user != *user) {
                self.broken.push(format!("billed to another: {} to {user}", short(name)));
            }
        }
        sums.retain(|_, amount| !amount.is_zero());
        ledger.retain(|_, amount| !amount.is_zero());
        if sums != ledger {
            self.breach("the ledger is not the sum of its tasks", format!("{ledger:?}, by the tasks {sums:?}"));
        }
        for index in 0..self.fleet.tasks.len() {
            self.judge_bill(index);
        }
    }

    fn judge_bill(&mut self, index: usize) {
        let (facts, now) = (self.fleet.tasks[index].facts.clone(), self.now);
        let Some(noted) = self.accounts.tasks.get(&facts.id).cloned() else {
            return self.breach("a task was never written down", facts.id.to_string());
        };
        let expected = if facts.state != TaskState::Stopped {
            BTreeMap::new()
        } else if noted.facts.stop_code.as_deref() == Some("Missing") {
            // Every event of its end was lost, and the launcher forgot it before it was asked: nobody will ever know when it ended.
            // Only an absence of ours that is longer than the launcher's memory does that.
            self.stats.untold += 1;
            let forgotten = facts.stopped_at.is_some_and(|at| now - at > self.setup.remembers_ms);
            if !forgotten {
                self.breach("the end of a task is to be had and was not learned", facts.id.to_string());
            }
            self.bill(&noted.facts, now)
        } else if !noted.settled && facts.stopped_at.is_some_and(|at| now - at < YOUNG_MS) {
            BTreeMap::new()
        } else {
            self.bill(&facts, now)
        };
        let mib = self.metered(&facts.launch, &facts).map_or(1, |metered| metered.mib.max(1));
        let ms = |bill: &BTreeMap<Month, Amount>| bill.values().map(|a| a.mib_ms + a.spot_mib_ms).sum::<i64>() / mib;
        self.stats.billed_ms += ms(&noted.billed);
        // what ran while the clock was set has no true times
        let spans = self.setup.clock.is_some_and(|(at, ahead)| {
            let at = self.setup.epoch + at;
            let ended = facts.stopped_at.unwrap_or(now);
            facts.accepted_at.min(facts.accepted_at - ahead) < at + 600 * S && ended.max(ended - ahead) > at - 600 * S
        });
        if noted.billed != expected && !spans {
            let (is, due) = (ms(&noted.billed), ms(&expected));
            let how = format!("{}: billed {is} ms, due {due} ms ({:?}, in truth {facts:?})", facts.id, noted);
            self.breach("wrongly billed", how);
        }
    }

    /// What a user has spent in a month, as the records know it.
    pub fn spent(&self, user: &str, month: Month, now: Ms) -> f64 {
        let of_user =
            |name: &ClusterName| self.ground_truths.get(name).is_some_and(|ground_truth| ground_truth.user == user);
        let ledger = self.records.ledger.0.iter().filter(|((m, name), _)| *m == month && of_user(name));
        let mut sum: Amount = ledger.map(|(_, (_, amount))| *amount).sum();
        for noted in self.accounts.tasks.values().filter(|noted| !noted.settled && of_user(&noted.cluster)) {
            let billed = noted.billed.get(&month).copied().unwrap_or_default();
            sum += self.bill(&noted.facts, now).get(&month).copied().unwrap_or_default() - billed;
        }
        sum.usd()
    }

    /// By how much of its budget a user has spent more than the margin allows; what applies is given.
    pub fn is_over_budget(&self, user: &str, limits: &Effective, now: Ms) -> bool {
        let margin = 1.0 + f64::from(self.setup.policy.budget_margin_percent) / 100.0;
        let spent = self.spent(user, Month::of(now), now);
        limits.budget.as_ref().is_some_and(|budget| spent >= budget.value * margin)
    }

    /// Was a cluster's user over the budget when it was ended for it?
    pub fn was_over_budget(&self, cluster: &Cluster) -> bool {
        let known = self.accounts.limits_since(self.now - self.staleness(), &cluster.user, &cluster.groups);
        let last_month = Month::of(self.now).start() - 1;
        let moments = [self.now, last_month].into_iter().filter(|at| self.now - at < self.staleness());
        moments.into_iter().any(|at| known.iter().any(|limits| self.is_over_budget(&cluster.user, limits, at)))
    }

    /// May a user's clusters have nothing new, as the budget is spent, or nearly?
    pub fn is_budget_spent(&self, cluster: &Cluster) -> bool {
        let limits = effective(&cluster.user, &cluster.groups, self.records.limits.in_force());
        let spent = self.spent(&cluster.user, Month::of(self.now), self.now);
        limits.budget.is_some_and(|budget| spent >= budget.value * 0.98)
    }
}
