//! Everything is deleted: then nothing runs, nothing is open, nothing is counted.

use super::books::clusters;
use super::{Host, People, history};
use crate::api::Call;
use crate::server::PATIENCE;
use faregate::model::{Counts, Scope, Status, TaskState};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Every user deletes all they have, and waits until it is gone.
pub async fn delete_everything(host: &Host, people: &People) {
    let deadline = Instant::now() + PATIENCE;
    let mut pending: Vec<String> = people.users.keys().cloned().collect();
    while !pending.is_empty() {
        let mut left = Vec::new();
        for user in pending {
            let call = |method: &str, rest: &str| {
                Call::new(host.routers[0].clone(), method, &format!("/api/v1/clusters/{rest}")).basic(&user)
            };
            let Value::Object(list) = call("GET", "?status=pending,running,stopping").send().await.json() else {
                panic!()
            };
            for (name, _) in list.iter().filter(|(_, report)| report["status"] != "STOPPING") {
                let status = call("DELETE", name).send().await.status;
                assert!(status == 204 || status == 409, "{status}");
            }
            if !list.is_empty() {
                assert!(Instant::now() < deadline, "{user} still has {list:?}");
                left.push(user);
            }
        }
        pending = left;
        tokio::time::sleep(LOOK).await;
    }
}

/// Panics at what is left. How many workers there ever were.
pub async fn judge(host: &Host, people: &People) -> usize {
    assert_eq!((host.running)(), [], "this runs");
    let scopes: Vec<Scope> = people.ceilings().into_keys().collect();
    for usage in host.store.usage(&scopes).await.unwrap() {
        assert_eq!(usage.value.counts, Counts::default(), "{}", usage.value.scope);
    }
    let mut workers = Vec::new();
    for user in people.users.keys() {
        for cluster in clusters(host, user).await {
            let cluster = &cluster.value;
            let children = host.store.children(&cluster.name).await.unwrap();
            assert_eq!((cluster.status, cluster.charged.counts), (Status::Stopped, Counts::default()), "{cluster:?}");
            for launch in children.launches.iter().map(|launch| &launch.value) {
                assert!(!launch.state.is_open(), "{launch:?}");
            }
            for task in children.tasks.iter().map(|task| &task.value) {
                assert!(task.settled && task.facts.state == TaskState::Stopped, "{task:?}");
            }
            workers.extend(history::workers(people, cluster, &children));
        }
    }
    let exceeded = history::exceeded(&people.ceilings(), &workers);
    assert!(exceeded.is_empty(), "{}", exceeded.join("\n"));
    workers.len()
}
