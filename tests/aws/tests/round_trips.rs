//! Round trips are promises: what each request costs in calls to AWS, counted on the wire, warm and uncontended.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::inside::served::{Served, heartbeat, scheduler_address, turn};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::wire::{Call, counted};
use faregate_core::model::{ClusterName, Limits, Policy, Scope};
use faregate_core::ports::Store;
use serde_json::json;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A gateway in which nothing happens by itself: turns and passes are the tests' own, and no event arrives.
async fn inside(policy: Policy) -> (Inside, Served) {
    static MINISTACK: OnceLock<Ministack> = OnceLock::new();
    let ministack = MINISTACK.get_or_init(Ministack::start);
    let inside = Inside::start(ministack, Options { reconcilers: 0, policy, ..Options::default() }).await;
    inside.ecs.turn(|knobs| knobs.events.drop = 1.0);
    let served = Served::new(&inside);
    (inside, served)
}

/// The calls since the last look; none of them is one of ECS, and none but of the table itself and the queue.
fn calls(inside: &Inside) -> Vec<Call> {
    assert_eq!(counted(&inside.to_ecs.take()), [].into());
    let calls = inside.aws.take();
    for call in &calls {
        let known = call.action.starts_with("dynamodb:") && call.resource.starts_with("inside-")
            || call.action.starts_with("sqs:") && call.resource.contains("/wakes-");
        assert!(known && !call.resource.contains("/index/"), "{} of {}", call.action, call.resource);
    }
    calls
}

fn actions(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.action.as_str()).collect()
}

const GET: &str = "dynamodb:GetItem";
const PUT: &str = "dynamodb:PutItem";
const QUERY: &str = "dynamodb:Query";
const TRANSACT: &str = "dynamodb:TransactWriteItems";
const UPDATE: &str = "dynamodb:UpdateItem";
const WAKE: &str = "sqs:SendMessage";

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_without_news_is_one_write_and_wakes_nobody() {
    let (inside, served) = inside(Policy::fargate()).await;
    let name = served.running(&inside, "alice").await;
    let body = heartbeat(&scheduler_address(&inside.ecs, &name).await, 0, &[]);
    inside.to_ecs.take();
    inside.aws.take();
    for _ in 0..3 {
        served.heartbeat(&inside, &name, &body).await;
        let calls = calls(&inside);
        assert_eq!(actions(&calls), [UPDATE]);
        let update = calls[0].json();
        assert_eq!(update["Key"], json!({"pk": {"S": name}, "sk": {"S": "heartbeat"}}));
        assert!(update["ConditionExpression"].as_str().unwrap().contains("#digest = :digest"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_with_news_is_two_writes_and_a_wake_until_the_reconciler_has_heard_it() {
    let (inside, served) = inside(Policy::fargate()).await;
    let name = served.running(&inside, "alice").await;
    let body = heartbeat(&scheduler_address(&inside.ecs, &name).await, 3, &[]);
    inside.to_ecs.take();
    inside.aws.take();
    served.heartbeat(&inside, &name, &body).await;
    assert_eq!(actions(&calls(&inside)), [UPDATE, PUT, WAKE]);
    served.heartbeat(&inside, &name, &body).await;
    assert_eq!(actions(&calls(&inside)), [UPDATE, WAKE], "that wake may have been lost");
    turn(&inside, &name).await;
    inside.to_ecs.take();
    inside.aws.take();
    served.heartbeat(&inside, &name, &body).await;
    assert_eq!(actions(&calls(&inside)), [UPDATE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_by_one_transaction_and_one_wake() {
    let (inside, served) = inside(Policy::fargate()).await;
    served.create("alice").await; // warm: limits are cached from now on
    calls(&inside);
    let name = served.create("alice").await;
    let calls = calls(&inside);
    assert_eq!(actions(&calls), [TRANSACT, WAKE]);
    let wake = calls[1].json();
    assert_eq!(wake["MessageGroupId"], name.as_str()[..12], "users take turns");
    assert_eq!(wake["MessageBody"], json!({"wake": {"cluster": name}}).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_cluster_is_one_read_and_waiting_answers_at_once() {
    let (inside, served) = inside(Policy::fargate()).await;
    let name = served.create("alice").await;
    calls(&inside);
    for query in ["", "?wait"] {
        let answer = served.call("GET", &format!("{name}{query}")).basic("alice").send().await;
        assert_eq!(answer.json()["status"], "PENDING");
        let calls = calls(&inside);
        assert_eq!(actions(&calls), [GET], "{query}");
        assert_eq!(calls[0].json()["ConsistentRead"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_one_consistent_query_a_page() {
    let (inside, served) = inside(Policy::fargate()).await;
    let mut names = Vec::new();
    for _ in 0..12 {
        names.push(served.create("alice").await);
        served.create("bob").await;
    }
    calls(&inside);
    let list = async || served.call("GET", "").basic("alice").send().await.json();
    let listed: Vec<ClusterName> = list().await.as_object().unwrap().keys().map(|name| name.parse().unwrap()).collect();
    names.sort();
    assert_eq!(listed, names);
    let calls = calls(&inside);
    assert_eq!(actions(&calls), [QUERY]);
    assert_eq!(calls[0].json()["ConsistentRead"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_one_write_and_one_wake_and_a_second_one_wakes_nobody() {
    let (inside, served) = inside(Policy::fargate()).await;
    let name = served.running(&inside, "alice").await;
    inside.to_ecs.take();
    inside.aws.take();
    let stop = async || served.call("DELETE", name.as_str()).basic("alice").send().await.status;
    assert_eq!(stop().await, 204);
    let calls_made = calls(&inside);
    assert_eq!(actions(&calls_made), [UPDATE, WAKE]);
    assert_eq!(calls_made[0].json()["Key"]["sk"], json!({"S": name}));
    assert_eq!(stop().await, 204);
    assert_eq!(actions(&calls(&inside)), [UPDATE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_is_seen_by_the_pass_at_once() {
    let (inside, served) = inside(Policy::fargate()).await;
    served.create("alice").await;
    limit(&inside, Limits { frozen: Some("out of budget".into()), ..Limits::default() }).await;
    // what was read before may be believed for a minute
    assert!(inside.gateway.policy().limits_cache_ms <= 60_000);
    let name = served.create("alice").await;
    let report = inside.enforcer.enforce(0).await.unwrap();
    assert_eq!((report.active, report.ended), (2, 2), "{report:?}");
    let explained = served.call("GET", &format!("{name}/explain")).basic("alice").send().await.json();
    assert_eq!(explained["status"], "STOPPING", "{explained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_is_seen_by_requests_once_their_cache_is_too_old() {
    let (inside, served) = inside(Policy { limits_cache_ms: 300, ..Policy::fargate() }).await;
    let begun = Instant::now();
    served.create("alice").await;
    limit(&inside, Limits { clusters: Some(0), ..Limits::default() }).await;
    loop {
        calls(&inside);
        let answer = served.call("POST", "").basic("alice").json(&json!({})).send().await;
        if answer.status == 422 {
            assert!(answer.error().contains("`clusters` = 0 of default"), "{answer:?}");
            assert_eq!(actions(&calls(&inside)), [QUERY, TRANSACT], "read again, and refused by the counter");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

async fn limit(inside: &Inside, limits: Limits) {
    inside.store.put_limits(&Scope::Default, Some(&limits)).await.unwrap();
}
