//! The life of schedulers and workers: they start where ECS runs a task, connect, speak, and are gone when it stops.

use super::dask::{Dask, Loop};
use super::fleet::fleet;
use super::stage::{Stage, State, now};
use crate::inside::Inside;
use faregate_core::model::{ClusterName, Content, Ms, TaskId, TaskRole};
use faregate_gateway::Gateway;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Between two looks at the tasks.
const TICK: Duration = Duration::from_millis(60);

/// Lives until it is aborted.
pub async fn live(inside: Arc<Inside>, gateways: [Arc<Gateway>; 2], stage: Stage) {
    let mut heartbeats = JoinSet::new();
    for gateway in gateways.iter().cycle() {
        for beat in tick(&inside, &stage) {
            heartbeats.spawn(send(gateway.clone(), stage.clone(), beat));
        }
        while heartbeats.try_join_next().is_some() {}
        tokio::time::sleep(TICK).await;
    }
}

/// A heartbeat that leaves.
struct Beat {
    scheduler: TaskId,
    cluster: ClusterName,
    content: Content,
}

fn tick(inside: &Inside, stage: &Stage) -> Vec<Beat> {
    let tasks: BTreeMap<TaskId, _> = fleet(&inside.ecs).into_iter().map(|task| (task.id.clone(), task)).collect();
    let mut stage = stage.lock();
    let (state, now) = (&mut *stage, now());
    state.dask.retain(|id, _| tasks.get(id).is_some_and(|task| task.runs));
    for (id, task) in tasks.iter().filter(|(_, task)| task.runs) {
        match (task.role, task.address) {
            (TaskRole::Scheduler, Some(address)) if !state.dask.contains_key(id) => {
                let first_beat = now + state.dice.below(400);
                let mut dask = Dask::new(task.cluster.clone(), address, first_beat);
                // users scale as soon as they can
                dask.count = state.dice.below(state.setup.most + 1) as u32;
                state.dask.insert(id.clone(), dask);
            }
            (TaskRole::Worker, _) => state.meet(id, &task.cluster, now),
            _ => {}
        }
    }
    let mut beats = Vec::new();
    for (id, dask) in &mut state.dask {
        let gone: Vec<TaskId> =
            dask.connected.iter().filter(|id| !tasks.get(*id).is_some_and(|task| task.runs)).cloned().collect();
        gone.iter().for_each(|worker| dask.lose(worker));
        let back = |(until, worker): &(Ms, TaskId)| *until <= now && tasks.get(worker).is_some_and(|task| task.runs);
        let (back, away) = std::mem::take(&mut dask.restarting).into_iter().partition(back);
        dask.restarting = away;
        let back: Vec<(Ms, TaskId)> = back;
        back.into_iter().for_each(|(_, worker)| dask.connect(worker));
        for worker in dask.retired(now) {
            inside.ecs.kill(&worker.0);
        }
        if !dask.hung && matches!(dask.at, Loop::Waiting(until) if until <= now) {
            beats.push(Beat { scheduler: id.clone(), cluster: dask.cluster.clone(), content: dask.beat() });
        }
    }
    beats
}

impl State {
    /// A worker runs: it connects after a while, once; or never.
    fn meet(&mut self, id: &TaskId, cluster: &ClusterName, now: Ms) {
        if !self.connects.contains_key(id) {
            let breaks = self.faulty && self.dice.percent(self.setup.broken_workers);
            if breaks {
                self.ground_truth(cluster).failed_workers += 1;
            }
            let delay = self.dice.below(600);
            self.connects.insert(id.clone(), (!breaks).then_some(now + delay));
        }
        let due = matches!(self.connects.get(id), Some(Some(at)) if *at <= now);
        if due && let Some(dask) = self.dask_of(cluster) {
            dask.connect(id.clone());
            // once
            self.connects.insert(id.clone(), None);
        }
    }
}

async fn send(gateway: Arc<Gateway>, stage: Stage, beat: Beat) {
    let digest = format!("{:?}", beat.content);
    let result = gateway.heartbeats.apply(&beat.cluster, beat.content, digest).await;
    let mut state = stage.lock();
    let retirement = state.dice.below(700);
    match &result {
        Ok(()) => state.stats.heartbeats += 1,
        Err(refusal) => tracing::debug!(cluster = %beat.cluster, %refusal, "a heartbeat was not taken"),
    }
    if let Some(dask) = state.dask.get_mut(&beat.scheduler) {
        dask.answered(result.is_ok(), now(), retirement);
    }
}
