//! What ECS is asked: as few calls as there can be, each of one kind of capacity, in one subnet, short enough.
#![allow(clippy::unwrap_used)]

mod failures;

use fake_ecs::{Fault, Rates, Then, When};
use faregate_aws_tests::inside::served::{Served, eventually, heartbeat, scheduler_address, turn};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::wire::counted;
use faregate_core::model::{ClusterConfig, ClusterName, Policy};
use serde_json::Value;
use std::sync::OnceLock;

async fn inside(options: Options) -> (Inside, Served) {
    static MINISTACK: OnceLock<Ministack> = OnceLock::new();
    let inside = Inside::start(MINISTACK.get_or_init(Ministack::start), options).await;
    let served = Served::new(&inside);
    (inside, served)
}

/// Nothing happens by itself: turns are the tests' own, and no event arrives.
async fn by_hand(base: ClusterConfig) -> (Inside, Served) {
    let policy = Policy { launch_retry_ms: 50, ..Policy::fargate() };
    let (inside, served) = inside(Options { reconcilers: 0, base, policy, ..Options::default() }).await;
    inside.ecs.turn(|knobs| knobs.events.drop = 1.0);
    (inside, served)
}

/// The scheduler asks for so many workers.
async fn ask(inside: &Inside, served: &Served, name: &ClusterName, count: u32) {
    let address = scheduler_address(&inside.ecs, name).await;
    served.heartbeat(inside, name, &heartbeat(&address, count, &[])).await;
}

/// The calls of RunTask.
fn launches(inside: &Inside) -> Vec<Value> {
    inside.ecs.bodies("RunTask").iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

/// The capacity that a call asks for: always exactly one kind.
fn capacity(call: &Value) -> &str {
    let strategy = call["capacityProviderStrategy"].as_array().unwrap();
    assert_eq!(strategy.len(), 1, "{strategy:?}");
    assert!(call["launchType"].is_null());
    strategy[0]["capacityProvider"].as_str().unwrap()
}

/// The subnet that a call asks for: always exactly one.
fn subnet(call: &Value) -> &str {
    let subnets = call["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array().unwrap();
    assert_eq!(subnets.len(), 1, "{subnets:?}");
    subnets[0].as_str().unwrap()
}

fn role(call: &Value) -> &str {
    call["group"].as_str().unwrap().split_once(':').unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_workers_are_twenty_calls_of_ten_within_the_rates() {
    let (inside, served) = inside(Options::default()).await;
    inside.ecs.turn(|knobs| knobs.rates = Some(Rates::default()));
    let name = served.create("alice").await;
    ask(&inside, &served, &name, 200).await;
    eventually("all are there", || (inside.ecs.tasks().len() == 201).then_some(())).await;
    let calls = launches(&inside);
    let throttled = inside.ecs.counts()["RunTask"].throttled as usize;
    let mut counts: Vec<(&str, u64)> = calls.iter().map(|call| (role(call), call["count"].as_u64().unwrap())).collect();
    counts.sort();
    // one that met a rate is made again, and no other is
    let mut expected = vec![("worker", 10); 20 + throttled];
    expected.insert(0, ("scheduler", 1));
    assert_eq!(counts, expected);
    let mut tokens: Vec<&str> = calls.iter().map(|call| call["clientToken"].as_str().unwrap()).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 21);
    assert_eq!(inside.ecs.counts()["RegisterTaskDefinition"].calls, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_makes_one_launch_call_and_wakes_itself_for_the_next() {
    let (inside, served) = by_hand(ClusterConfig::default()).await;
    let name = served.running(&inside, "alice").await;
    ask(&inside, &served, &name, 45).await;
    inside.to_ecs.take();
    for count in [10, 10, 10, 10, 5] {
        inside.aws.take();
        turn(&inside, &name).await;
        assert_eq!(counted(&inside.to_ecs.take()), [("ecs:RunTask".to_owned(), 1)].into());
        assert_eq!(launches(&inside).last().unwrap()["count"], count);
        assert_eq!(counted(&inside.aws.take()).get("sqs:SendMessage"), Some(&1));
    }
    turn(&inside, &name).await;
    assert_eq!(counted(&inside.to_ecs.take()), [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn overrides_stay_short_with_long_options() {
    let long = |c: char, length| std::iter::repeat_n(c, length).collect::<String>();
    let base = ClusterConfig {
        // thirty variables of a hundred characters
        environment: (0..30).map(|n| (format!("SETTING_WITH_A_LONG_NAME_{n}"), long('v', 70))).collect(),
        // the longest name of a repository, and of a tag
        image: Some(format!("000000000000.dkr.ecr.us-east-1.amazonaws.com/{}:{}", long('i', 256), long('t', 128))),
        task_role_arn: Some(format!("arn:aws:iam::000000000000:role/{}", long('r', 64))),
        ephemeral_storage_gib: Some(200),
        worker_cores: 16.0,
        worker_memory: 120 << 30,
        ..ClusterConfig::default()
    };
    let (inside, served) = by_hand(base).await;
    let name = served.running(&inside, &long('u', 128)).await;
    ask(&inside, &served, &name, 1).await;
    turn(&inside, &name).await;
    let calls = launches(&inside);
    assert_eq!(calls.iter().map(role).collect::<Vec<_>>(), ["scheduler", "worker"]);
    for call in &calls {
        let length = call["overrides"].to_string().chars().count();
        assert!((4_000..=8_192).contains(&length), "{length} characters: {call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_workers_are_on_spot_and_on_demand_where_it_has_none() {
    let (inside, served) = by_hand(ClusterConfig { fargate_spot: true, ..ClusterConfig::default() }).await;
    let name = served.running(&inside, "alice").await;
    ask(&inside, &served, &name, 10).await;
    turn(&inside, &name).await;
    let on_spot = || When { capacity_provider: Some("FARGATE_SPOT".into()), ..When::default() };
    inside.ecs.fail(Fault { when: on_spot(), ..Fault::next(1, "RunTask", Then::NoCapacity { start: 3 }) });
    ask(&inside, &served, &name, 20).await;
    turn(&inside, &name).await;
    turn(&inside, &name).await;
    let calls = launches(&inside);
    let kinds: Vec<_> = calls.iter().map(|c| (role(c), capacity(c), c["count"].as_u64().unwrap())).collect();
    assert_eq!(
        kinds,
        [
            ("scheduler", "FARGATE", 1),
            ("worker", "FARGATE_SPOT", 10),
            ("worker", "FARGATE_SPOT", 10),
            ("worker", "FARGATE", 7)
        ]
    );
    assert_ne!(calls[2]["clientToken"], calls[3]["clientToken"], "a new launch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_in_one_subnet_until_that_has_no_capacity() {
    let (inside, served) = by_hand(ClusterConfig::default()).await;
    let name = served.running(&inside, "alice").await;
    ask(&inside, &served, &name, 20).await;
    turn(&inside, &name).await;
    turn(&inside, &name).await;
    let home = subnet(&launches(&inside)[0]).to_owned();
    let full = When { subnet: Some(home.clone()), ..When::default() };
    inside.ecs.fail(Fault { when: full, ..Fault::next(1, "RunTask", Then::NoCapacity { start: 0 }) });
    ask(&inside, &served, &name, 25).await;
    eventually_launched(&inside, &name, 5).await;
    let calls = launches(&inside);
    let subnets: Vec<&str> = calls.iter().map(subnet).collect();
    let next = if home == "subnet-a" { "subnet-b" } else { "subnet-a" };
    assert_eq!(subnets, [&home, &home, &home, &home, next]);
    assert_ne!(calls[3]["clientToken"], calls[4]["clientToken"], "a new launch");
}

/// Takes turns until there are so many launch calls.
async fn eventually_launched(inside: &Inside, name: &ClusterName, calls: u64) {
    for _ in 0..200 {
        if inside.ecs.calls("RunTask") >= calls {
            return;
        }
        turn(inside, name).await;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{calls} launch calls were not made");
}
