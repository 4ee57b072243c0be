//! What tasks cost: billed once they have settled, in the transaction that says so; corrected when more becomes known of them.

use super::draft::Draft;
use crate::model::{
    Amount, ClusterConfig, Launch, Metered, Month, Ms, Policy, Prices, Task, TaskFacts, TaskRole, billed_time,
};
use crate::safety_rule;
use std::collections::BTreeMap;

/// Entries of the ledger that one decision may write: each is an item of its transaction. What is in further months waits for the next.
pub(super) const MONTHS: usize = 8;

/// The size of a task and its prices: its launch says; where that is unknown, its cluster's configuration.
pub fn metered(config: &ClusterConfig, launch: Option<&Launch>, facts: &TaskFacts, prices: &Prices) -> Metered {
    let (cores, memory, architecture) = match launch.map(|l| &l.spec) {
        Some(spec) => (spec.cores, spec.memory_bytes, &spec.fargate.cpu_architecture),
        None => {
            let (cores, memory) = size(config, facts.role);
            (cores, memory, &config.cpu_architecture)
        }
    };
    let rates = prices.of(architecture.as_deref());
    Metered { millicores: millicores(cores), mib: mib(memory), spot: is_spot(facts), rates: *rates }
}

pub(super) fn size(config: &ClusterConfig, role: TaskRole) -> (f64, u64) {
    match role {
        TaskRole::Scheduler => (config.scheduler_cores, config.scheduler_memory),
        TaskRole::Worker => (config.worker_cores, config.worker_memory),
    }
}

pub(super) fn millicores(cores: f64) -> i64 {
    (cores * 1000.0).round() as i64
}

pub(super) fn mib(memory_bytes: u64) -> i64 {
    (memory_bytes >> 20) as i64
}

pub(super) fn is_spot(facts: &TaskFacts) -> bool {
    facts.capacity.as_deref() == Some("FARGATE_SPOT")
}

/// What a task has cost by `now`, by month.
pub fn bill(
    config: &ClusterConfig,
    launch: Option<&Launch>,
    facts: &TaskFacts,
    now: Ms,
    policy: &Policy,
) -> BTreeMap<Month, Amount> {
    let metered = metered(config, launch, facts, &policy.prices);
    let time = billed_time(facts, now, policy.billing_minimum_ms);
    time.map_or_else(BTreeMap::new, |(from, to)| metered.bill(from, to))
}

/// Is the same used, at whatever price? What is billed is not billed again because a price has changed since.
fn is_same_use(a: &Amount, b: &Amount) -> bool {
    Amount { nanousd: 0, ..*a } == Amount { nanousd: 0, ..*b }
}

impl Draft<'_> {
    /// The months in which a settled task used something else than it was billed for, and what it used in each.
    pub fn unbilled(&self, task: &Task) -> BTreeMap<Month, Amount> {
        // without an end there is nothing to go by but the time at which it was billed first
        if task.facts.stopped_at.is_none() {
            return BTreeMap::new();
        }
        let used = bill(&self.cluster.config, self.launch(&task.facts.launch), &task.facts, self.now, self.policy);
        let of = |bill: &BTreeMap<Month, Amount>, month| bill.get(&month).copied().unwrap_or_default();
        let months = used.keys().chain(task.billed.keys().filter(|month| !used.contains_key(month)));
        months
            .map(|month| (*month, of(&used, *month)))
            .filter(|(month, used)| !is_same_use(used, &of(&task.billed, *month)))
            .collect()
    }

    /// Puts the difference between what the `i`th task used and what it was billed for in the ledger.
    pub fn bill(&mut self, i: usize) {
        for (month, used) in self.unbilled(&self.tasks[i].now) {
            if self.bills.len() == MONTHS && !self.bills.contains_key(&month) {
                self.due(self.now);
                continue;
            }
            let billed = self.tasks[i].now.billed.entry(month).or_default();
            let before = if safety_rule!(self.policy, bill_differences) { *billed } else { Amount::default() };
            *self.bills.entry(month).or_default() += used - before;
            *billed = used;
            if used.is_zero() {
                self.tasks[i].now.billed.remove(&month);
            }
        }
    }
}
