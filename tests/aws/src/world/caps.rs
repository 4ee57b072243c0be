//! Was any limit exceeded, at any time? Told by the times at which ECS itself accepted and stopped each task.

use super::fleet::Seen;
use super::records::Records;
use super::setup::policy;
use super::stage::State;
use faregate_core::limits::allowed_workers;
use faregate_core::limits::effective;
use faregate_core::model::{Cluster, Launch, Ms, TaskRole};
use std::collections::BTreeMap;

/// Every breach. At each start of a worker those that lived are counted, and held against the limits that were in force when its
/// launch was written down.
pub fn exceeded(records: &Records, tasks: &[Seen], state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    for task in tasks {
        let Some((cluster, children)) = records.clusters.get(&task.cluster) else { continue };
        let lived = |which: &dyn Fn(&Cluster) -> bool, role: TaskRole| {
            let then = |other: &&Seen| {
                let of = records.clusters.get(&other.cluster);
                other.role == role
                    && other.created_at <= task.created_at
                    && other.stopped_at.is_none_or(|at| at > task.created_at)
                    && of.is_some_and(|(cluster, _)| which(cluster))
            };
            tasks.iter().filter(then).count() as i64
        };
        let of_cluster = |role| lived(&|other| other.name == cluster.name, role);
        if task.role == TaskRole::Scheduler {
            let schedulers = of_cluster(TaskRole::Scheduler);
            if schedulers > 1 {
                wrong.push(format!("{schedulers} schedulers of {} lived at once", cluster.name));
            }
            continue;
        }
        let launch = children.launches.iter().map(|launch| &launch.value).find(|launch| launch.id == task.launch);
        let Some(launch) = launch else {
            wrong.push(format!("task {} has no launch on record", task.id));
            continue;
        };
        let items = state.limits_of(launch);
        let limits = effective(&cluster.user, &cluster.groups, &items);
        let cap = allowed_workers(cluster, &limits).map_or(i64::MAX, |(cap, _)| i64::from(cap));
        let mut held = vec![("its cluster".to_owned(), of_cluster(TaskRole::Worker), cap)];
        for scope in &cluster.reserved.keys {
            let living = lived(&|other| other.reserved.keys.contains(scope), TaskRole::Worker);
            held.push((scope.to_string(), living, limits.ceiling(scope).workers));
        }
        for (whose, living, limit) in held.into_iter().filter(|(_, living, limit)| living > limit) {
            wrong.push(format!("{living} workers of {whose} lived with task {}, and the limit is {limit}", task.id));
        }
    }
    wrong
}

/// A launch whose tasks were started twice, or that started more than it asked for.
pub fn started_twice(records: &Records, tasks: &[Seen]) -> Vec<String> {
    let mut times: BTreeMap<_, Vec<Ms>> = BTreeMap::new();
    for task in tasks {
        times.entry((&task.cluster, &task.launch)).or_default().push(task.created_at);
    }
    let mut wrong = Vec::new();
    for ((cluster, id), times) in times {
        let children = records.clusters.get(cluster).map(|(_, children)| children);
        let launch = children.and_then(|children| children.launches.iter().find(|launch| launch.value.id == *id));
        let most = launch.map_or(0, |launch| launch.value.spec.count as usize);
        let (first, last) = (times.iter().min(), times.iter().max());
        // one call starts all of its tasks at once
        let apart = last.zip(first).map_or(0, |(last, first)| last - first);
        if times.len() > most || apart > 200 {
            wrong.push(format!("launch {id} asked for {most} tasks and started {} over {apart} ms", times.len()));
        }
    }
    wrong
}

impl State {
    /// The limits that a launch was written down under: the lower ones once nobody can have the others in a cache or a view.
    fn limits_of(&self, launch: &Launch) -> BTreeMap<faregate_core::model::Scope, faregate_core::model::Limits> {
        let grace = policy().limits_cache_ms + policy().max_call_ms;
        match self.lowered_at {
            Some(at) if launch.created_at > at + grace => self.limits_at_the_end(),
            _ => self.setup.limits.iter().cloned().collect(),
        }
    }
}
