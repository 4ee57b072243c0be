//! Is everything as it should be when nothing happens any more?

use super::fleet::{Seen, living};
use super::records::Records;
use super::stage::State;
use faregate_core::limits::allowed_workers;
use faregate_core::limits::effective;
use faregate_core::model::{Cluster, Scope, Status, TaskRole};
use faregate_core::ports::Children;

/// Where a name differs from others, and what is not so.
fn of(cluster: &Cluster, what: impl std::fmt::Display) -> String {
    format!("{} of {} {what}", &cluster.name.as_str()[23..], cluster.user)
}

/// What keeps this world from being at rest, and well.
pub fn unsettled(records: &Records, tasks: &[Seen], state: &mut State) -> Vec<String> {
    let mut wrong = Vec::new();
    for task in tasks.iter().filter(|task| task.lives() && !records.clusters.contains_key(&task.cluster)) {
        wrong.push(format!("task {} of unknown cluster {} lives", task.id, task.cluster));
    }
    for (cluster, children) in records.clusters.values() {
        let open = children.launches.iter().filter(|launch| launch.value.state.is_open()).count();
        if open > 0 {
            wrong.push(of(cluster, format!("has {open} open launches")));
        }
        match cluster.status {
            Status::Stopped | Status::Failed => wrong.extend(of_ended(cluster, records, tasks)),
            Status::Running => wrong.extend(of_running(cluster, children, records, tasks, state)),
            Status::Pending | Status::Stopping => {
                wrong.push(of(cluster, format!("is {:?} ({:?})", cluster.status, cluster.waiting)));
            }
        }
    }
    wrong.extend(counters(records, tasks));
    wrong
}

fn of_ended(cluster: &Cluster, records: &Records, tasks: &[Seen]) -> Vec<String> {
    let mut wrong = Vec::new();
    let live = tasks.iter().filter(|task| task.lives() && task.cluster == cluster.name).count();
    if live > 0 {
        wrong.push(of(cluster, format!("has ended, and {live} of its tasks live")));
    }
    if cluster.active || records.index.contains(&cluster.name) {
        wrong.push(of(cluster, "has ended, and is in the index"));
    }
    if records.credentials.contains(&cluster.name) {
        wrong.push(of(cluster, "has ended, and its credentials are left"));
    }
    if cluster.due_at.is_some() {
        wrong.push(of(cluster, "has ended, and is due"));
    }
    if cluster.reason.is_none() {
        wrong.push(of(cluster, "has ended without a reason"));
    }
    wrong
}

fn of_running(
    cluster: &Cluster,
    children: &Children,
    records: &Records,
    tasks: &[Seen],
    state: &mut State,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if !cluster.active || !records.index.contains(&cluster.name) {
        wrong.push(of(cluster, "runs, and is not in the index"));
    }
    if !records.credentials.contains(&cluster.name) {
        wrong.push(of(cluster, "runs, and has no credentials"));
    }
    let schedulers = living(tasks, &cluster.name, TaskRole::Scheduler).count();
    if schedulers != 1 {
        wrong.push(of(cluster, format!("runs with {schedulers} schedulers")));
    }
    let Some(dask) = state.dask_of(&cluster.name).filter(|dask| !dask.hung) else {
        wrong.push(of(cluster, "runs, and its scheduler does not"));
        return wrong;
    };
    let (wanted, have) = (i64::from(dask.count), dask.connected.len() as i64);
    let live = living(tasks, &cluster.name, TaskRole::Worker).count() as i64;
    if live > wanted || live > have {
        wrong.push(of(cluster, format!("wants {wanted} workers, {have} are connected, {live} live")));
    }
    let room = room(cluster, records, tasks, state);
    if have < wanted && room > 0 {
        let waiting = cluster.waiting.as_ref().map(|why| &why.message);
        wrong.push(of(cluster, format!("wants {wanted} workers, has {have}, has room for {room} ({waiting:?})")));
    }
    if (have >= wanted && cluster.due_at.is_some())
        || children.heartbeat.as_ref().is_none_or(|h| h.value.due_at.is_some())
    {
        wrong.push(of(cluster, "has all it wants, and is due"));
    }
    wrong
}

/// How many more workers may be started.
fn room(cluster: &Cluster, records: &Records, tasks: &[Seen], state: &State) -> i64 {
    let items = state.limits_at_the_end();
    let limits = effective(&cluster.user, &cluster.groups, &items);
    let live = |which: &dyn Fn(&Cluster) -> bool| {
        let of = |task: &&Seen| {
            let cluster = records.clusters.get(&task.cluster);
            task.lives() && task.role == TaskRole::Worker && cluster.is_some_and(|(cluster, _)| which(cluster))
        };
        tasks.iter().filter(of).count() as i64
    };
    let mut room = allowed_workers(cluster, &limits).map_or(i64::MAX, |(cap, _)| i64::from(cap))
        - live(&|other| other.name == cluster.name);
    for scope in &cluster.reserved.keys {
        let ceiling = limits.ceiling(scope).workers;
        room = room.min(ceiling - live(&|other| other.reserved.keys.contains(scope)));
    }
    room
}

/// Counters say what is so.
fn counters(records: &Records, tasks: &[Seen]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (scope, usage) in &records.usage {
        let (mut clusters, mut workers) = (0, 0);
        for (cluster, _) in records.clusters.values().filter(|(cluster, _)| cluster.reserved.keys.contains(scope)) {
            clusters += i64::from(!cluster.status.is_ended());
            workers += living(tasks, &cluster.name, TaskRole::Worker).count() as i64;
        }
        let counts = usage.counts;
        if (counts.clusters, counts.workers) != (clusters, workers) || counts.any_negative() {
            wrong.push(format!("{scope} counts {counts:?}, in truth {clusters} clusters and {workers} workers"));
        }
    }
    wrong
}

impl State {
    /// The limits once the admin has lowered one.
    pub fn limits_at_the_end(&self) -> std::collections::BTreeMap<Scope, faregate_core::model::Limits> {
        let (scope, limits) = self.setup.lowered.clone();
        self.setup.limits.iter().cloned().chain([(scope, limits)]).collect()
    }
}
