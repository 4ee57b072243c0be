//! The wire contract's table, continued: waiting for a cluster, scaling it, and what it says of itself.

use faregate_core::model::{ClusterConfig, Policy};
use faregate_core::ports::Question;
use faregate_tests::api::{Api, Setup, heartbeat};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn wait_holds_until_a_cluster_runs() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    api.host.patient.store(true, Ordering::SeqCst);
    let path = format!("/api/v1/clusters/{name}?wait");
    let (answer, ()) = tokio::join!(api.get(&path).basic("alice").send(), api.run(&name));
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("RUNNING")));
}

#[tokio::test]
async fn wait_answers_early_when_it_takes_long_and_at_once_where_it_must() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    let before = api.gateway.now();
    let answer = api.get(&format!("/api/v1/clusters/{name}?wait=1")).basic("alice").send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("PENDING")));
    assert_eq!(api.gateway.now() - before, api.gateway.policy().wait_ms);
    let before = api.gateway.now();
    let answer = api.get(&format!("/api/v1/clusters/{name}?wait=0")).basic("alice").send().await;
    assert_eq!((answer.status.as_u16(), api.gateway.now()), (200, before));

    let api = Api::with(Setup { policy: Policy { wait_ms: 0, ..Policy::default() }, ..Setup::default() }).await;
    let name = api.create("alice").await;
    let before = api.gateway.now();
    let answer = api.get(&format!("/api/v1/clusters/{name}?wait")).basic("alice").send().await;
    assert_eq!((&answer.json()["status"], api.gateway.now()), (&json!("PENDING"), before));
}

#[tokio::test]
async fn waiting_for_a_cluster_that_failed_is_a_conflict_with_the_reason() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    *api.launcher.refuses.lock().unwrap() = Some("no such image".into());
    for _ in 0..20 {
        api.turn(&name).await;
        api.host.pass(60_000);
    }
    let answer = api.get(&format!("/api/v1/clusters/{name}?wait")).basic("alice").send().await;
    assert_eq!(answer.status, 409);
    let sentence = answer.error();
    assert!(sentence.starts_with(&format!("Cluster '{name}' failed to start: ")), "{sentence}");
    assert!(sentence.contains("no such image"), "{sentence}");
    // without `wait`, the record
    assert_eq!(api.report("alice", &name).await["status"], "FAILED");
}

#[tokio::test]
async fn scaling_asks_the_scheduler() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for path in [format!("/api/v1/clusters/{name}/scale"), format!("/api/v1/clusters/{name}/scale/")] {
        let answer = api.post(&path).basic("alice").json(&json!({"count": 3})).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ok": true, "msg": null})));
        assert_eq!(api.schedulers.take(), [Question::Scale { count: 3 }]);
    }
}

fn at_most_two_workers() -> Setup {
    let base = ClusterConfig { cluster_max_workers: Some(2), ..ClusterConfig::default() };
    Setup { base, ..Setup::default() }
}

#[tokio::test]
async fn scaling_over_the_limit_scales_to_the_limit_and_says_so() {
    let api = Api::with(at_most_two_workers()).await;
    let name = api.running("alice").await;
    for count in [json!(3), json!(u64::MAX)] {
        let path = format!("/api/v1/clusters/{name}/scale");
        let answer = api.post(&path).basic("alice").json(&json!({"count": count})).send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["ok"]), (200, &json!(false)));
        let message = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(message.contains("cluster_max_workers"), "{message}");
        assert!(message.ends_with(" Scaling to 2 instead."), "{message}");
        assert_eq!(api.schedulers.take(), [Question::Scale { count: 2 }]);
    }
}

#[tokio::test]
async fn adapting_asks_the_scheduler_within_the_limit() {
    let api = Api::with(at_most_two_workers()).await;
    let name = api.running("alice").await;
    let path = format!("/api/v1/clusters/{name}/adapt");
    for (body, minimum, maximum, active) in [
        (json!({"minimum": null, "maximum": null, "active": true}), 0, 2, true),
        (json!({"minimum": null, "maximum": null, "active": false}), 0, 2, false),
        (json!({"minimum": 1, "maximum": 2}), 1, 2, true),
        (json!({}), 0, 2, true),
    ] {
        let answer = api.post(&path).basic("alice").json(&body).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ok": true, "msg": null})), "{body}");
        let (minimum, maximum) = (Some(minimum), Some(maximum));
        assert_eq!(api.schedulers.take(), [Question::Adapt { minimum, maximum, active }]);
    }
    let answer = api.post(&path).basic("alice").json(&json!({"minimum": 0, "maximum": 9})).send().await;
    assert_eq!(answer.json()["ok"], false);
    let message = answer.json()["msg"].as_str().unwrap().to_owned();
    assert!(message.ends_with(" Using `maximum=2, minimum=0` instead."), "{message}");
}

#[tokio::test]
async fn without_a_limit_null_bounds_stay_open() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let path = format!("/api/v1/clusters/{name}/adapt");
    let answer = api.post(&path).basic("alice").json(&json!({"minimum": null, "maximum": null})).send().await;
    assert_eq!(answer.json(), json!({"ok": true, "msg": null}));
    assert_eq!(api.schedulers.take(), [Question::Adapt { minimum: None, maximum: None, active: true }]);
}

#[tokio::test]
async fn a_cluster_that_does_not_run_cannot_be_scaled() {
    let api = Api::new().await;
    let pending = api.create("alice").await;
    let stopping = api.running("alice").await;
    api.delete(&format!("/api/v1/clusters/{stopping}")).basic("alice").send().await;
    for name in [pending, stopping] {
        for (what, body) in [("scale", json!({"count": 1})), ("adapt", json!({}))] {
            let path = format!("/api/v1/clusters/{name}/{what}");
            let refused = api.post(&path).basic("alice").json(&body).send().await;
            assert_eq!(refused.status, 409, "{what}");
            assert!(refused.error().contains("is not running"));
        }
    }
}

#[tokio::test]
async fn heartbeats_need_the_clusters_own_token() {
    let api = Api::new().await;
    let (name, other) = (api.running("alice").await, api.running("alice").await);
    let path = format!("/api/v1/clusters/{name}/heartbeat");
    let answer = api.heartbeat(&name, heartbeat()).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    let before = api.everything_stored();
    for call in [
        api.post(&path),
        api.post(&path).basic("alice"),
        api.post(&path).token(""),
        api.post(&path).token("k1-00"),
        api.post(&path).token(&api.token(&other)),
        api.post(&path).header("authorization", format!("Bearer {}", api.token(&name))),
    ] {
        let refused = call.json(&heartbeat()).send().await;
        assert_eq!(refused.status, 401);
        refused.error();
        assert!(refused.headers.contains_key("www-authenticate"));
    }
    assert_eq!(api.everything_stored(), before);
}

#[tokio::test]
async fn a_cluster_that_shall_stop_may_send_no_more_heartbeats() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    api.delete(&format!("/api/v1/clusters/{name}")).basic("alice").send().await;
    api.turn(&name).await;
    let mut body = heartbeat();
    body["count"] = json!(1);
    let refused = api.heartbeat(&name, body).await;
    assert_eq!(refused.status, 409);
    refused.error();
    let none = "0".repeat(32).parse().unwrap();
    assert_eq!(api.heartbeat(&none, heartbeat()).await.status, 409);
}

#[tokio::test]
async fn a_heartbeat_of_several_mebibytes_is_taken() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let names: Vec<String> = (0..120_000).map(|n| format!("w-{n:032x}")).collect();
    let mut body = heartbeat();
    body["closed_workers"] = json!(names);
    assert!(body.to_string().len() > 4 << 20);
    assert_eq!(api.heartbeat(&name, body).await.status, 200);
}
