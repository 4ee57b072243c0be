//! What users do, and what nobody asked for: deaths, hangs, restarts, shortages.

use super::dask::{Dask, Loop};
use super::fleet::{Seen, fleet};
use super::setup::FAULTS_MS;
use super::stage::{Stage, State, now};
use crate::inside::Inside;
use fake_ecs::{FakeEcs, Fault, NO_CAPACITY, Then, When};
use faregate_core::model::{ClusterName, Identity, Ms, TaskRole};
use faregate_core::ports::Store;
use faregate_gateway::{Caller, Gateway, ServiceError};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Between two random events.
const TICK: Duration = Duration::from_millis(100);

/// A random event that needs the gateway.
enum Wish {
    Create(Identity),
    Stop(Identity),
    Scale(Identity, u32),
    Lower,
}

/// Lets random events happen until the faults end; what was asked for by then is also answered.
pub async fn happen(inside: &Arc<Inside>, gateways: &[Arc<Gateway>; 2], stage: &Stage) {
    let end = now() + FAULTS_MS;
    let lowered_at = now() + stage.lock().dice.between(FAULTS_MS / 4, FAULTS_MS * 3 / 4);
    let mut lowered = false;
    let mut wishes = JoinSet::new();
    let users = stage.lock().setup.users.clone();
    // whoever asks, any of the gateways answers
    let mut gateway = gateways.iter().cycle().cloned();
    let mut next_gateway = || gateway.next().expect("they go on for ever");
    for user in &users {
        wishes.spawn(grant(inside.clone(), next_gateway(), stage.clone(), Wish::Create(user.clone())));
    }
    while now() < end {
        let tasks = fleet(&inside.ecs);
        let mut next = stage.lock().random_event(&inside.ecs, &tasks);
        if !lowered && now() >= lowered_at {
            (lowered, next) = (true, Some(Wish::Lower));
        }
        if let Some(wish) = next {
            wishes.spawn(grant(inside.clone(), next_gateway(), stage.clone(), wish));
        }
        tokio::time::sleep(TICK).await;
    }
    while let Some(done) = wishes.join_next().await {
        done.unwrap();
    }
}

impl State {
    fn random_event(&mut self, ecs: &FakeEcs, tasks: &[Seen]) -> Option<Wish> {
        let users = self.setup.users.clone();
        let user = users[self.dice.below(users.len() as Ms) as usize].clone();
        let count = self.dice.below(self.setup.most + 1) as u32;
        match self.dice.below(100) {
            0..16 => return Some(Wish::Create(user)),
            16..22 => return Some(Wish::Stop(user)),
            22..34 => return Some(Wish::Scale(user, count)),
            34..46 => self.some_scheduler(|dask, _| dask.count = count), // it adapts
            46..52 => self.kill(ecs, tasks),
            52..58 => self.some_scheduler(restart_a_worker),
            58..62 => self.some_scheduler(|dask, pause| {
                if let Loop::Waiting(at) = &mut dask.at {
                    *at += pause;
                }
            }),
            62..68 => self.some_scheduler(|dask, _| {
                let idle = dask.idle_since.is_none();
                dask.idle_since = idle.then(now);
            }),
            68..69 => self.hang(),
            69..90 => ecs.fail(self.trouble()),
            _ => {}
        }
        None
    }

    fn some_scheduler(&mut self, change: impl FnOnce(&mut Dask, Ms)) {
        let n = self.dice.below(self.dask.len() as Ms) as usize;
        let pause = self.dice.between(200, 2_500);
        if let Some(dask) = self.dask.values_mut().nth(n) {
            change(dask, pause);
        }
    }

    fn hang(&mut self) {
        let mut name = None;
        self.some_scheduler(|dask, _| {
            dask.hung = true;
            name = Some(dask.cluster.clone());
        });
        if let Some(name) = name {
            self.ground_truth(&name).hung = true;
        }
    }

    fn kill(&mut self, ecs: &FakeEcs, tasks: &[Seen]) {
        let role = if self.dice.percent(85) { TaskRole::Worker } else { TaskRole::Scheduler };
        let victims: Vec<&Seen> = tasks.iter().filter(|task| task.runs && task.role == role).collect();
        let Some(victim) = victims.get(self.dice.below(victims.len() as Ms) as usize) else { return };
        let killed = match self.dice.below(5) {
            0 => ecs.kill(&victim.id.0),
            1 => ecs.run_out_of_memory(&victim.id.0),
            2 => ecs.interrupt(&victim.id.0),
            3 => ecs.rebalance(&victim.id.0),
            _ => ecs.announce_retirement(&victim.id.0) && ecs.retire(&victim.id.0),
        };
        if killed {
            tracing::debug!(cluster = %victim.cluster, task = %victim.id, ?role, "killed");
            let ground_truth = self.ground_truth(&victim.cluster);
            match role {
                TaskRole::Scheduler => ground_truth.schedulers_died += 1,
                TaskRole::Worker => ground_truth.failed_workers += 1,
            }
        }
    }

    /// What the next calls of ECS meet.
    fn trouble(&mut self) -> Fault {
        let times = self.dice.between(1, 4) as u32;
        let start = self.dice.below(3) as u64;
        let spot = When { capacity_provider: Some("FARGATE_SPOT".into()), ..When::default() };
        let calls = ["RunTask", "StopTask", "DescribeTasks", "ListTasks", "DescribeTaskDefinition"];
        match self.dice.below(8) {
            0 => Fault::next(times, "RunTask", Then::NoCapacity { start }),
            1 => Fault::next(times, "RunTask", Then::NoMemory { start }),
            2 => Fault::next(times, "RunTask", Then::VcpuLimit),
            3 => Fault::next(1, "RunTask", Then::NoAddresses),
            4 => Fault::next(times, "RunTask", Then::ReplyLost { status: true }),
            5 => Fault { when: spot, ..Fault::next(times, "RunTask", Then::NoCapacity { start: 0 }) },
            6 => {
                let name = "ServerException".into();
                let then = Then::Error { status: 500, name, message: NO_CAPACITY.into() };
                Fault::next(1, self.dice.pick(&calls), then)
            }
            _ => Fault::next(times, self.dice.pick(&calls), Then::Throttled),
        }
    }
}

/// A nanny restarts its worker: for a while the scheduler calls it closed.
fn restart_a_worker(dask: &mut Dask, away: Ms) {
    let Some(worker) = dask.connected.first().cloned() else { return };
    if !dask.closing.contains(&worker) {
        dask.lose(&worker);
        dask.restarting.push((now() + away, worker));
    }
}

async fn grant(inside: Arc<Inside>, gateway: Arc<Gateway>, stage: Stage, wish: Wish) {
    match wish {
        Wish::Create(who) => {
            let result = gateway.clusters.create(&who, serde_json::Map::new()).await;
            let mut state = stage.lock();
            match result {
                Ok(_) => state.stats.created += 1,
                Err(ServiceError::Invalid(_)) => state.stats.refused += 1,
                Err(refusal) => tracing::debug!(user = who.name, %refusal, "no cluster"),
            }
        }
        Wish::Stop(who) => {
            let Some(name) = one_of_theirs(&gateway, &stage, &who).await else { return };
            stage.lock().ground_truth(&name).stop_asked = true;
            if gateway.clusters.stop(&Caller::User(who), &name).await.is_ok() {
                stage.lock().ground_truth(&name).stop_taken = true;
            }
        }
        Wish::Scale(who, count) => {
            let Some(name) = one_of_theirs(&gateway, &stage, &who).await else { return };
            let _ = gateway.clusters.scale(&who, &name, count).await;
        }
        Wish::Lower => {
            let (scope, limits) = stage.lock().setup.lowered.clone();
            while let Err(error) = inside.store.put_limits(&scope, Some(&limits)).await {
                tracing::debug!(%error, "the admin tries again");
            }
            stage.lock().lowered_at = Some(now());
        }
    }
}

async fn one_of_theirs(gateway: &Gateway, stage: &Stage, who: &Identity) -> Option<ClusterName> {
    use faregate_core::model::Status;
    let found = gateway.clusters.list(who, &[Status::Pending, Status::Running]).await.ok()?;
    let n = stage.lock().dice.below(found.len() as Ms) as usize;
    found.get(n).map(|cluster| cluster.name.clone())
}
