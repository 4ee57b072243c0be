//! What tasks cost: billed once they have settled, in the transaction that says so; corrected when more becomes known of them. And what of
//! a cluster is being billed, kept in its record, so that the enforcement run can estimate its cost without reading its tasks.

use super::changes::Changes;
use crate::model::{
    Amount, ClusterConfig, Launch, Meter, Metered, Month, Ms, Policy, Prices, Task, TaskFacts, TaskRole, billed_time,
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

fn size(config: &ClusterConfig, role: TaskRole) -> (f64, u64) {
    match role {
        TaskRole::Scheduler => (config.scheduler_cores, config.scheduler_memory),
        TaskRole::Worker => (config.worker_cores, config.worker_memory),
    }
}

fn millicores(cores: f64) -> i64 {
    (cores * 1000.0).round() as i64
}

fn mib(memory_bytes: u64) -> i64 {
    (memory_bytes >> 20) as i64
}

fn is_spot(facts: &TaskFacts) -> bool {
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

/// The months in which a settled task used something else than it was billed for, and what it used in each.
pub(super) fn unbilled(changes: &Changes, task: &Task) -> BTreeMap<Month, Amount> {
    // without an end there is nothing to go by but the time at which it was billed first
    if task.facts.stopped_at.is_none() {
        return BTreeMap::new();
    }
    let launch = changes.launch(&task.facts.launch);
    let used = bill(&changes.cluster.config, launch, &task.facts, changes.now, changes.policy);
    let of = |bill: &BTreeMap<Month, Amount>, month| bill.get(&month).copied().unwrap_or_default();
    let months = used.keys().chain(task.billed.keys().filter(|month| !used.contains_key(month)));
    months
        .map(|month| (*month, of(&used, *month)))
        .filter(|(month, used)| !is_same_use(used, &of(&task.billed, *month)))
        .collect()
}

/// Notes what a task used in a month; what the ledger does not have of that yet.
pub(super) fn bill_difference(task: &mut Task, month: Month, used: Amount, policy: &Policy) -> Amount {
    let billed = task.billed.entry(month).or_default();
    let before = if safety_rule!(policy, bill_differences) { *billed } else { Amount::default() };
    *billed = used;
    if used.is_zero() {
        task.billed.remove(&month);
    }
    used - before
}

/// What is being billed now.
pub(super) fn meter<'a>(tasks: impl Iterator<Item = &'a Task>) -> Meter {
    let mut meter = Meter::default();
    for facts in tasks.filter(|t| t.may_run()).map(|t| &t.facts) {
        let Some(since) = facts.pulled_at.or(facts.started_at) else { continue };
        let class = match (facts.role, is_spot(facts)) {
            (TaskRole::Scheduler, _) => &mut meter.schedulers,
            (TaskRole::Worker, false) => &mut meter.workers,
            (TaskRole::Worker, true) => &mut meter.spot_workers,
        };
        *class = (class.0 + 1, class.1.saturating_add(since));
    }
    meter
}

impl Meter {
    /// What the metered tasks have cost from a month's start until now: an estimate, as their single beginnings are not known. Where
    /// all of them began in the month it is exact; where some began before it, it is rather too much, and at most the whole month of
    /// each of them.
    pub fn cost(&self, config: &ClusterConfig, policy: &Policy, month_start: Ms, now: Ms) -> Amount {
        let class = |(tasks, since): (i64, Ms), role, spot| {
            let least = tasks.saturating_mul(policy.billing_minimum_ms);
            let most = tasks.saturating_mul((now - month_start).max(0));
            let time = tasks.saturating_mul(now).saturating_sub(since).max(least).min(most);
            let (cores, memory) = size(config, role);
            let rates = *policy.prices.of(config.cpu_architecture.as_deref());
            Metered { millicores: millicores(cores), mib: mib(memory), spot, rates }.amount(time)
        };
        class(self.schedulers, TaskRole::Scheduler, false)
            + class(self.workers, TaskRole::Worker, false)
            + class(self.spot_workers, TaskRole::Worker, true)
    }
}
