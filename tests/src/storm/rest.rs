//! Everything is deleted: then nothing runs, nothing is open, nothing is counted.

use super::books::clusters;
use super::{Host, People, history};
use crate::api::Call;
use crate::server::PATIENCE;
use faregate_core::model::{Counts, Scope, Status, TaskState};
use futures::future::join_all;
use serde_json::Value;
use std::time::Instant;

/// Every user deletes all they have, and waits until it is gone.
pub async fn delete_everything(host: &Host, people: &People) {
    join_all(people.users.keys().map(|user| delete_all(host, user))).await;
}

async fn delete_all(host: &Host, user: &str) {
    let deadline = Instant::now() + PATIENCE;
    let call = |method: &str, rest: &str| {
        Call::new(host.router.clone(), method, &format!("/api/v1/clusters/{rest}")).basic(user)
    };
    loop {
        let answer = call("GET", "?status=pending,running,stopping").send().await;
        let Value::Object(left) = answer.json() else { panic!("no list: {answer:?}") };
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{user} still has {left:?}");
        for (name, _) in left.iter().filter(|(_, report)| report["status"] != "STOPPING") {
            let status = call("DELETE", name).send().await.status;
            assert!(status == 204 || status == 409, "{status}");
        }
        tokio::time::sleep(host.pace / 2).await;
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
            assert_eq!((cluster.status, cluster.reserved.counts), (Status::Stopped, Counts::default()), "{cluster:?}");
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
