//! What a heartbeat may claim: only the addresses that ECS gave its own cluster's scheduler task.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::inside::served::{Served, heartbeat, scheduler_address, turn};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::Ministack;
use faregate_core::model::{ClusterName, Status};
use faregate_core::ports::Store;
use serde_json::json;

/// The heartbeat is taken, and turns look at what it says. The cluster's status, and the scheduler's address that others are led to.
async fn says(
    inside: &Inside,
    served: &Served,
    name: &ClusterName,
    body: &serde_json::Value,
) -> (Status, Option<String>) {
    served.heartbeat(inside, name, body).await;
    turn(inside, name).await;
    turn(inside, name).await;
    let cluster = inside.store.cluster(name).await.unwrap().unwrap().value;
    (cluster.status, cluster.addresses.map(|addresses| addresses.scheduler.ip().to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_its_tasks_are_never_used() {
    let ministack = Ministack::start();
    let inside = Inside::start(&ministack, Options { reconcilers: 0, ..Options::default() }).await;
    inside.ecs.turn(|knobs| knobs.events.drop = 1.0);
    let served = Served::new(&inside);
    let alices = scheduler_address(&inside.ecs, &served.running(&inside, "alice").await).await;
    let name = served.create("mallory").await;
    turn(&inside, &name).await;
    let own = scheduler_address(&inside.ecs, &name).await;
    assert_ne!(own, alices);

    let mut claims = vec![heartbeat(&alices, 0, &[]), heartbeat("198.51.100.7", 0, &[])];
    for (field, address) in
        [("dashboard_address", format!("http://{alices}:8787")), ("api_address", format!("http://{alices}:8788"))]
    {
        let mut body = heartbeat(&own, 0, &[]);
        body[field] = json!(address);
        claims.push(body);
    }
    for claim in &claims {
        assert_eq!(says(&inside, &served, &name, claim).await, (Status::Pending, None), "{claim}");
    }
    let running = (Status::Running, Some(own.clone()));
    assert_eq!(says(&inside, &served, &name, &heartbeat(&own, 0, &[])).await, running);
    for claim in &claims {
        assert_eq!(says(&inside, &served, &name, claim).await, running, "it is not led elsewhere later: {claim}");
    }
}
