//! Was any limit exceeded at any moment? Told by the times at which each worker was accepted and stopped.

use super::People;
use super::running::{keys, over};
use faregate_core::model::{Cluster, Counts, Ms, Scope, TaskRole};
use faregate_core::ports::Children;
use std::collections::{BTreeMap, BTreeSet};

/// A worker's time.
#[derive(Clone, Debug)]
pub struct Lived {
    pub keys: Vec<Scope>,
    pub unit: Counts,
    pub from: Ms,
    pub to: Ms,
}

/// The workers that a cluster ever had.
pub fn workers(people: &People, cluster: &Cluster, children: &Children) -> Vec<Lived> {
    let workers = children.tasks.iter().map(|task| &task.value.facts).filter(|task| task.role == TaskRole::Worker);
    let lived = workers.map(|task| Lived {
        keys: keys(people, cluster),
        unit: cluster.config.worker_unit(),
        from: task.accepted_at,
        to: task.stopped_at.expect("it has stopped"),
    });
    lived.collect()
}

/// Every breach: at each start of a worker, all that lived then are added up.
pub fn exceeded(ceilings: &BTreeMap<Scope, Counts>, workers: &[Lived]) -> Vec<String> {
    let starts: BTreeSet<Ms> = workers.iter().map(|worker| worker.from).collect();
    let at = |now: Ms| {
        let mut used: BTreeMap<Scope, Counts> = BTreeMap::new();
        for worker in workers.iter().filter(|worker| worker.from <= now && now < worker.to) {
            for key in &worker.keys {
                let sum = used.entry(key.clone()).or_default();
                *sum = *sum + worker.unit;
            }
        }
        over(ceilings, &used, &format!("workers at {now}"))
    };
    starts.into_iter().flat_map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_are_more_than_one_and_one_after_the_other_are_not() {
        let key = Scope::Default;
        let unit = Counts { workers: 1, ..Counts::default() };
        let worker = |from, to| Lived { keys: vec![key.clone()], unit, from, to };
        let ceilings = BTreeMap::from([(key.clone(), unit)]);
        assert_eq!(exceeded(&ceilings, &[worker(1, 5), worker(5, 9)]), Vec::<String>::new());
        assert_eq!(exceeded(&ceilings, &[worker(1, 6), worker(5, 9)]).len(), 1);
    }
}
