//! A thousand heartbeats in which nothing is new.

use crate::calls::print_aws;
use crate::gateway;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate_aws_tests::inside::Inside;
use faregate_aws_tests::inside::served::{Served, eventually, heartbeat, scheduler_address};
use faregate_aws_tests::ministack::Ministack;
use faregate_core::model::{ClusterName, TaskId};
use futures::future::join_all;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const CLUSTERS: usize = 20;
const HEARTBEATS: usize = 50;
const WORKERS: usize = 10;

pub async fn run() {
    let (ministack, inside) = gateway().await;
    let served = Served::new(&inside);
    let mut clusters = Vec::new();
    for n in 0..CLUSTERS {
        clusters.push(start(&inside, &served, &format!("user-{n}")).await);
    }
    settle(&inside).await;
    inside.aws.take();
    let reconciles = inside.reconciles.load(Ordering::Relaxed);
    let begun = Instant::now();
    join_all(clusters.iter().map(async |(name, body)| {
        for _ in 0..HEARTBEATS {
            served.heartbeat(&inside, name, body).await;
        }
    }))
    .await;
    let took = begun.elapsed().as_secs_f64();
    let all = CLUSTERS * HEARTBEATS;
    settle(&inside).await;
    let reconciles = inside.reconciles.load(Ordering::Relaxed) - reconciles;
    let table = inside.aws.calls().iter().find(|call| call.action == "dynamodb:UpdateItem").unwrap().resource.clone();
    println!("{all} heartbeats without change, of {CLUSTERS} clusters with {WORKERS} workers each:");
    print_aws(&inside, all, "heartbeat");
    println!("  reconciles: {reconciles}");
    println!("  bytes of the item that is written: {}", item_size(&ministack, &table, &clusters[0].0).await);
    println!("  {:.0} a second: the emulator's speed, not DynamoDB's", all as f64 / took);
    println!();
}

/// A cluster that RUNs with all its workers, and the heartbeat that says so.
async fn start(inside: &Inside, served: &Served, user: &str) -> (ClusterName, serde_json::Value) {
    let name = served.create(user).await;
    let address = scheduler_address(&inside.ecs, &name).await;
    served.heartbeat(inside, &name, &heartbeat(&address, WORKERS as u32, &[])).await;
    let workers = eventually("its workers are accepted", || {
        let tasks = inside.ecs.tasks();
        let own = tasks.iter().filter(|task| task["group"] == *format!("worker:{name}"));
        let ids: Vec<TaskId> = own.map(|task| id(task["taskArn"].as_str().unwrap())).collect();
        (ids.len() == WORKERS).then_some(ids)
    })
    .await;
    let body = heartbeat(&address, WORKERS as u32, &workers);
    served.heartbeat(inside, &name, &body).await;
    (name, body)
}

fn id(arn: &str) -> TaskId {
    TaskId(arn.rsplit('/').next().unwrap().to_owned())
}

/// Until nothing has been reconciled for a while.
async fn settle(inside: &Inside) {
    loop {
        let before = inside.reconciles.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(3)).await;
        if inside.reconciles.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

async fn item_size(ministack: &Ministack, table: &str, name: &ClusterName) -> usize {
    let client = aws_sdk_dynamodb::Client::new(&ministack.sdk_config().await);
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let get = client.get_item().table_name(table).key("pk", text(name.as_str())).key("sk", text("heartbeat"));
    of_map(&get.send().await.unwrap().item.unwrap())
}

/// As DynamoDB counts ("DynamoDB item sizes and formats", Amazon DynamoDB developer guide).
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::M(map) => 3 + map.len() + of_map(map),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + size(value)).sum::<usize>(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        _ => 1,
    }
}

fn of_map(map: &HashMap<String, AttributeValue>) -> usize {
    map.iter().map(|(name, value)| name.len() + size(value)).sum()
}
