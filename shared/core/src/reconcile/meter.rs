//! What of a cluster is being billed: kept in its record, so that the pass can estimate what it costs without reading its tasks.

use super::bill::{is_spot, mib, millicores, size};
use super::draft::Draft;
use crate::model::{Amount, ClusterConfig, Meter, Metered, Ms, Policy, Task, TaskRole};

impl Meter {
    fn of<'a>(tasks: impl Iterator<Item = &'a Task>) -> Self {
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

impl Draft<'_> {
    /// The meter as the tasks are now.
    pub fn meter(&self) -> Meter {
        Meter::of(self.tasks.iter().map(|t| &t.now))
    }
}
