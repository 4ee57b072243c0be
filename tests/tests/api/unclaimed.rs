//! Clusters that nobody came for, as their owners find them.

use faregate_core::model::{ClusterConfig, ClusterName, Policy, ReasonCode, Status};
use faregate_core::ports::{Idleness, Question, Store};
use faregate_tests::api::{Api, Call, Setup};
use insta::assert_snapshot;
use serde_json::json;

const MINUTE: i64 = 60_000;

/// What schedulers say of their clients.
fn say(api: &Api, unclaimed: bool) {
    *api.schedulers.idleness.lock().unwrap() = Some(Idleness { unclaimed, ..Idleness::default() });
}

/// Minutes pass, and with each an enforcement run.
async fn pass(api: &Api, minutes: i64) {
    for _ in 0..minutes {
        api.host.pass(MINUTE);
        api.enforcer.enforce(0).await.unwrap();
    }
}

async fn status(api: &Api, name: &ClusterName) -> Status {
    api.store.cluster(name).await.unwrap().unwrap().value.status
}

async fn version(api: &Api, name: &ClusterName) -> u64 {
    api.store.cluster(name).await.unwrap().unwrap().version
}

/// A cluster that runs and whose scheduler beats on, so that nothing but time is the matter.
async fn running(policy: Policy) -> (Api, ClusterName) {
    let policy = Policy { heartbeat_timeout_ms: 1_000 * MINUTE, ..policy };
    let api = Api::with(Setup { base: ClusterConfig::default(), policy, ..Setup::default() }).await;
    let name = api.running("alice").await;
    say(&api, true);
    (api, name)
}

#[tokio::test]
async fn a_cluster_that_nobody_came_for_is_stopped_with_that_reason() {
    let (api, name) = running(Policy::default()).await;
    pass(&api, 60).await;
    assert_eq!((status(&api, &name).await, api.schedulers.take()), (Status::Running, vec![]));
    pass(&api, 1).await;
    assert_eq!((status(&api, &name).await, api.schedulers.take()), (Status::Stopping, vec![Question::Idle]));
    let explained = api.get(&format!("/api/v1/clusters/{name}/explain")).basic("alice").send().await.json();
    assert_eq!(explained["reason"]["code"], json!(ReasonCode::Unclaimed));
    assert_snapshot!(explained["reason"]["message"].as_str().unwrap(), @"no client ever connected to it, and nobody listed it, asked about it or scaled it for 3660 s; such a cluster is stopped after 3600 s (`unclaimed_timeout`)");
}

#[tokio::test]
async fn one_that_is_submitted_and_connected_to_after_fifty_minutes_works() {
    let (api, name) = running(Policy::default()).await;
    pass(&api, 50).await;
    // `Gateway.connect` asks for the report; then its client comes
    assert_eq!(api.report("alice", &name).await["status"], "RUNNING");
    pass(&api, 60).await;
    assert_eq!((status(&api, &name).await, api.schedulers.take()), (Status::Running, vec![]));
    say(&api, false);
    pass(&api, 1).await;
    assert_eq!(api.schedulers.take(), [Question::Idle]);
    pass(&api, 600).await;
    assert_eq!((status(&api, &name).await, api.schedulers.take()), (Status::Running, vec![]), "asked but once");
}

#[tokio::test]
async fn whoever_lists_asks_or_scales_keeps_it_and_that_is_written_once_a_minute() {
    let (api, name) = running(Policy::default()).await;
    let path = format!("/api/v1/clusters/{name}");
    let scale = || api.post(&format!("{path}/scale")).json(&json!({"count": 1}));
    let adapt = || api.post(&format!("{path}/adapt")).json(&json!({"minimum": 0}));
    let extend = || api.post(&format!("{path}/extend")).json(&json!({"seconds": 60}));
    let list = || api.get("/api/v1/clusters/");
    let explain = || api.get(&format!("{path}/explain"));
    let asks: [&dyn Fn() -> Call; 6] = [&list, &|| api.get(&path), &explain, &scale, &adapt, &extend];
    for ask in asks {
        pass(&api, 59).await;
        let before = version(&api, &name).await;
        for _ in 0..3 {
            assert_eq!(ask().basic("alice").send().await.status, 200);
        }
        api.host.pass(MINUTE - 1);
        assert_eq!(ask().basic("alice").send().await.status, 200);
        assert_eq!(version(&api, &name).await, before + 1);
        ask().basic("bob").send().await;
        api.host.pass(MINUTE);
        ask().basic("bob").send().await;
        assert_eq!(version(&api, &name).await, before + 1, "that others ask is nothing");
    }
    pass(&api, 59).await;
    assert_eq!(status(&api, &name).await, Status::Running);
    pass(&api, 3).await;
    assert_eq!(status(&api, &name).await, Status::Stopping);
}

#[tokio::test]
async fn one_that_waits_to_start_is_stopped_too_and_never_where_the_timeout_is_0() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    pass(&api, 60).await;
    assert_eq!(status(&api, &name).await, Status::Pending);
    pass(&api, 1).await;
    assert_eq!(status(&api, &name).await, Status::Stopping);

    let (api, name) = running(Policy { unclaimed_timeout_ms: 0, ..Policy::default() }).await;
    pass(&api, 600).await;
    let before = version(&api, &name).await;
    api.report("alice", &name).await;
    assert_eq!((status(&api, &name).await, version(&api, &name).await), (Status::Running, before));
}

#[tokio::test]
async fn a_scheduler_that_does_not_answer_ends_nothing() {
    let (api, name) = running(Policy::default()).await;
    *api.schedulers.idleness.lock().unwrap() = None;
    pass(&api, 90).await;
    assert_eq!(status(&api, &name).await, Status::Running);
    say(&api, true);
    pass(&api, 1).await;
    assert_eq!(status(&api, &name).await, Status::Stopping);
}
