//! Limits hold where two sets of the shells work over one emulator and one ECS, whoever asks at the same moment, and whatever their
//! writes meet.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use axum::Router;
use fake_ecs::{EventFaults, FakeEcs};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::wire::{Faults, counted};
use faregate_core::model::{ClusterName, LaunchId, Policy, TaskId, TaskRole};
use faregate_core::ports::{Answer, Ask, Idleness, Question, SchedulerError, Schedulers};
use faregate_keys::{KeyRing, Use};
use faregate_tests::api::Call;
use faregate_tests::storm::{Failures, Host, People, blow, choices};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn two_sets_of_shells_exceed_no_limit_and_leave_nothing_counted() {
    storm(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sets_of_shells_exceed_no_limit_while_a_third_of_all_writes_meets_others() {
    storm(30).await;
}

async fn storm(conflict_percent: u64) {
    let (ministack, people, wanted) = (Ministack::start(), People::default(), Wanted::default());
    let mut inside = Inside::start(
        &ministack,
        Options {
            policy: policy(),
            choices: choices(),
            schedulers: Arc::new(wanted.clone()),
            reconcilers: 3,
            pass_ms: 2_000,
            ..Options::default()
        },
    )
    .await;
    let gateways = [inside.gateway.clone(), inside.twin().await];
    // each on its own way: one that is slow to be taken in does not hold up the others
    inside.ecs.turn(|knobs| knobs.events = EventFaults { delay_up_to_ms: 50, ..EventFaults::default() });
    inside.aws.set(Faults { seed: 1, conflicts: conflict_percent, ..Faults::default() });
    let inside = Arc::new(inside);
    let failures = Failures::default();
    let routers = gateways.map(|gateway| failures.router(gateway, inside.store.clone(), &people)).to_vec();
    let ecs = inside.clone();
    let host = Host {
        routers: routers.clone(),
        store: inside.store.clone(),
        ring: inside.ring.clone(),
        running: Arc::new(move || living(&ecs.ecs).into_iter().map(|task| (task.cluster, task.role)).collect()),
        failures,
        pace: Duration::from_millis(1_500),
    };
    let dask = tokio::spawn(live(inside.clone(), wanted, routers));
    blow(&host, &people, 7).await;
    dask.abort();
    println!("{} turns, {:?}", inside.turns.load(Ordering::SeqCst), counted(&inside.aws.calls()));
    assert_eq!(inside.repaired.load(Ordering::SeqCst), 0, "no counter ever drifted");
}

/// Fargate's, in more of a hurry where somebody waits for something that comes by itself.
fn policy() -> Policy {
    Policy {
        heartbeat_period_ms: 500,
        check_ms: 3_000,
        launch_retry_ms: 1_000,
        launch_call_ms: 5_000,
        launch_list_ms: 2_000,
        start_backoff_ms: 500,
        room_retry_ms: 2_500,
        launch_window_ms: 30_000,
        max_call_ms: 10_000,
        visibility_ms: 2_000,
        grace_period_ms: 20_000,
        scheduler_call_ms: 3_000,
        orphan_scan_step_ms: 200,
        ..Policy::fargate()
    }
}

/// How many workers each cluster's scheduler was asked for.
#[derive(Clone, Default)]
struct Wanted(Arc<Mutex<BTreeMap<ClusterName, u32>>>);

#[async_trait]
impl Schedulers for Wanted {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let mut wanted = self.0.lock().unwrap();
        let answers = asks.into_iter().map(|ask| match ask.question {
            Question::Scale { count } => {
                wanted.insert(ask.cluster, count);
                Ok(Answer::Ok)
            }
            Question::Idle => Ok(Answer::Idle(Idleness::default())),
            _ => Ok(Answer::Ok),
        });
        answers.collect()
    }
}

/// A task of ECS that has not stopped.
struct Living {
    id: TaskId,
    cluster: ClusterName,
    role: TaskRole,
    address: String,
    /// Its container runs.
    runs: bool,
}

fn living(ecs: &FakeEcs) -> Vec<Living> {
    let read = |task: &Value| {
        let text = |field: &str| task[field].as_str().unwrap_or_default();
        let details = task["attachments"][0]["details"].as_array();
        let address = details.into_iter().flatten().find(|detail| detail["name"] == "privateIPv4Address");
        task["stoppedAt"].is_null().then(|| Living {
            id: TaskId(text("taskArn").rsplit('/').next().unwrap_or_default().to_owned()),
            cluster: LaunchId(text("startedBy").to_owned()).cluster().unwrap(),
            role: if text("group").starts_with("scheduler:") { TaskRole::Scheduler } else { TaskRole::Worker },
            address: address.and_then(|detail| detail["value"].as_str()).unwrap_or_default().to_owned(),
            runs: text("lastStatus") == "RUNNING",
        })
    };
    ecs.tasks().iter().filter_map(read).collect()
}

/// The schedulers: nothing but their heartbeats, and the end of workers that are not wanted any more.
async fn live(inside: Arc<Inside>, wanted: Wanted, routers: Vec<Router>) {
    let mut schedulers: BTreeMap<TaskId, Scheduler> = BTreeMap::new();
    for beat in 0usize.. {
        let tasks = living(&inside.ecs);
        let runs = |id: &TaskId| tasks.iter().any(|task| task.id == *id && task.runs);
        schedulers.retain(|id, _| runs(id));
        let mut beats = JoinSet::new();
        for task in tasks.iter().filter(|task| task.runs && task.role == TaskRole::Scheduler) {
            let mut scheduler = schedulers.remove(&task.id).unwrap_or_default();
            let count = wanted.0.lock().unwrap().get(&task.cluster).copied().unwrap_or_default();
            let workers = tasks
                .iter()
                .filter(|other| other.runs && other.cluster == task.cluster && other.role == TaskRole::Worker);
            scheduler.meet(workers.map(|worker| worker.id.clone()).collect());
            let content = scheduler.content(&task.address, count);
            if scheduler.said != content {
                let router = routers[beat % routers.len()].clone();
                let (ring, cluster) = (inside.ring.clone(), task.cluster.clone());
                let id = task.id.clone();
                beats.spawn(async move {
                    let taken = send(&ring, router, &cluster, &content).await;
                    scheduler.said = if taken { content } else { Value::Null };
                    (id, scheduler)
                });
            } else {
                schedulers.insert(task.id.clone(), scheduler);
            }
        }
        for (id, scheduler) in beats.join_all().await {
            for name in scheduler.said["closing_workers"].as_array().into_iter().flatten() {
                inside.ecs.kill(name.as_str().unwrap().strip_prefix("w-").unwrap());
            }
            schedulers.insert(id, scheduler);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn send(ring: &KeyRing, router: Router, cluster: &ClusterName, content: &Value) -> bool {
    let token = ring.token(&ring.newest().id, Use::Cluster, cluster).unwrap();
    let path = format!("/api/v1/clusters/{cluster}/heartbeat");
    Call::new(router, "POST", &path).token(&token).json(content).send().await.status == 200
}

/// What a scheduler knows, and what it said last.
#[derive(Default)]
struct Scheduler {
    connected: BTreeSet<TaskId>,
    closed: BTreeSet<TaskId>,
    said: Value,
}

impl Scheduler {
    fn meet(&mut self, workers: BTreeSet<TaskId>) {
        self.closed.extend(self.connected.difference(&workers).cloned());
        self.connected = workers;
    }

    fn content(&self, address: &str, count: u32) -> Value {
        let mut names = self.connected.iter().map(TaskId::worker_name);
        let active: Vec<String> = names.by_ref().take(count as usize).collect();
        let closing: Vec<String> = names.collect();
        json!({
            "scheduler_address": format!("tls://{address}:8786"),
            "dashboard_address": format!("http://{address}:8787"),
            "api_address": format!("http://{address}:8788"),
            "count": count,
            "active_workers": active,
            "closing_workers": closing,
            "closed_workers": self.closed.iter().map(TaskId::worker_name).collect::<Vec<_>>(),
        })
    }
}
