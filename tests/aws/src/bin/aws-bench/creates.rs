//! A thousand clusters are created at once: by ten users with many each, and ninety with one.

use crate::calls::{print_aws, print_ecs};
use crate::{PENDING_MS, PROVISIONING_MS, RUN_TASK_MS, gateway};
use aws_sdk_dynamodb::types::AttributeValue;
use fake_ecs::{Fault, Then};
use faregate_aws_tests::inside::Inside;
use faregate_aws_tests::inside::served::Served;
use futures::StreamExt;
use futures::stream::iter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

const CLUSTERS: usize = 1000;
const WITH_MANY: usize = 10;
const WITH_ONE: usize = 90;
/// Requests under way at once.
const AT_ONCE: usize = 50;
/// Without any news for so long, something is wrong.
const STUCK: Duration = Duration::from_secs(120);
/// 20 calls at once, then 20 a second.
const IDEAL_S: f64 = (CLUSTERS as f64 - 20.0) / 20.0;

/// A launch that was accepted: when, in seconds after the first request, and whose.
struct Launched {
    at: f64,
    user: String,
}

pub async fn run() {
    let (ministack, inside) = gateway().await;
    let served = Served::new(&inside);
    // a first cluster, so that the task definition is there and the limits are read: warm
    served.create("first").await;
    wait_for(&inside, 1).await;
    inside.ecs.turn(|knobs| {
        knobs.provisioning_ms = PROVISIONING_MS;
        knobs.pending_ms = PENDING_MS;
    });
    inside.ecs.fail(Fault::next(u32::MAX, "RunTask", Then::Slow { by_ms: RUN_TASK_MS }));
    inside.aws.take();
    let reads = Arc::new(Mutex::new(Vec::new()));
    let probe = tokio::spawn(probe(ministack.sdk_config().await, reads.clone()));

    let begun = now();
    let users: Vec<String> = (0..CLUSTERS).map(user).collect();
    let created: Vec<(String, String)> = iter(users)
        .map(async |user| (served.create(&user).await.to_string(), user))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let created_s = now() - begun;
    let users: BTreeMap<String, String> = created.into_iter().collect();
    wait_for(&inside, 1 + CLUSTERS).await;
    probe.abort();

    let mut launched: Vec<Launched> = Vec::new();
    for task in inside.ecs.tasks() {
        let name = task["group"].as_str().unwrap().trim_start_matches("scheduler:").to_owned();
        if let Some(user) = users.get(&name) {
            launched.push(Launched { at: task["createdAt"].as_f64().unwrap() - begun, user: user.clone() });
        }
    }
    launched.sort_by(|a, b| a.at.total_cmp(&b.at));
    print(&inside, created_s, &launched);
    let reads = std::mem::take(&mut *reads.lock().unwrap());
    let mean_ms = reads.iter().sum::<Duration>().as_secs_f64() * 1000.0 / reads.len().max(1) as f64;
    println!(
        "  one read of an item took the emulator {mean_ms:.0} ms meanwhile; DynamoDB takes single-digit milliseconds"
    );
    println!();
}

/// The many and the one take turns: whose is the n-th request?
fn user(n: usize) -> String {
    let every = CLUSTERS / WITH_ONE;
    match (n % every, n / every) {
        (0, one) if one < WITH_ONE => format!("one-{one}"),
        _ => format!("many-{}", n % WITH_MANY),
    }
}

fn print(inside: &Inside, created_s: f64, launched: &[Launched]) {
    let took = launched.last().map_or(0.0, |last| last.at);
    println!(
        "{CLUSTERS} clusters created at once, by {WITH_MANY} users with many and {WITH_ONE} users with one, RunTask"
    );
    println!("answering after {RUN_TASK_MS} ms:");
    println!("  all requests answered after {created_s:.1} s");
    println!(
        "  all schedulers launched after {took:.1} s; ideal {IDEAL_S:.1} s (RunTask's rate): {:.2} times",
        took / IDEAL_S
    );
    print_ecs(&inside.ecs);
    let calls = print_aws(inside, CLUSTERS, "cluster");
    println!("  {:.0} calls a second to the emulator, the queue's readers apart", calls as f64 / took);
    println!("  users in turn (the emulator's queue knows no fairness among message groups; SQS's does):");
    let tenths: Vec<String> = launched
        .chunks(launched.len().div_ceil(10).max(1))
        .map(|tenth| tenth.iter().map(|launch| &launch.user).collect::<BTreeSet<_>>().len().to_string())
        .collect();
    println!("    users served in each tenth of the launches: {}", tenths.join(" "));
    for (kind, what) in [("one", "a user's only cluster"), ("many", "one of a user's many")] {
        let mut waits: Vec<f64> = launched.iter().filter(|l| l.user.starts_with(kind)).map(|l| l.at).collect();
        waits.sort_by(f64::total_cmp);
        let (median, worst) = (waits.get(waits.len() / 2), waits.last());
        println!(
            "    {what}: launched after {:.1} s (median), {:.1} s (worst)",
            median.unwrap_or(&0.0),
            worst.unwrap_or(&0.0)
        );
    }
}

/// Reads an item every now and then, and writes down how long that takes.
async fn probe(config: aws_config::SdkConfig, reads: Arc<Mutex<Vec<Duration>>>) {
    let client = aws_sdk_dynamodb::Client::new(&config);
    let table = client.list_tables().send().await.unwrap().table_names.unwrap_or_default().remove(0);
    let text = |value: &str| AttributeValue::S(value.to_owned());
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        let get = client.get_item().table_name(&table).key("pk", text("limits")).key("sk", text("default"));
        get.send().await.unwrap();
        reads.lock().unwrap().push(begun.elapsed());
    }
}

/// Until ECS has accepted so many tasks.
async fn wait_for(inside: &Inside, tasks: usize) {
    let (mut seen, mut since) = (0, now());
    loop {
        let living = inside.ecs.living();
        if living >= tasks {
            return;
        }
        if living > seen {
            (seen, since) = (living, now());
        }
        assert!(now() - since < STUCK.as_secs_f64(), "{living} of {tasks} tasks, and no news for {STUCK:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Seconds since 1970, as ECS counts.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
