//! How long clusters live, as their owners see and change it; and why they are as they are.

use faregate_core::model::{ClusterConfig, ClusterName, Limits, Policy, Reason, ReasonCode, Record};
use faregate_core::ports::{Expect, Store, Write};
use faregate_tests::api::{Answer, Api, Setup};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// The first story's moment.
const NOW: i64 = 1_800_000_000_000;

async fn lives_for(seconds: f64) -> Api {
    let base = ClusterConfig { lifetime: seconds, idle_timeout: 900.0, ..ClusterConfig::default() };
    Api::with(Setup { base, ..Setup::default() }).await
}

async fn extend(api: &Api, user: &str, name: &ClusterName, body: Value) -> Answer {
    api.post(&format!("/api/v1/clusters/{name}/extend")).basic(user).json(&body).send().await
}

async fn explain(api: &Api, user: &str, name: &ClusterName) -> Answer {
    api.get(&format!("/api/v1/clusters/{name}/explain")).basic(user).send().await
}

#[tokio::test]
async fn a_life_is_extended_and_never_shortened() {
    let api = lives_for(3600.0).await;
    let name = api.running("alice").await;
    let explained = explain(&api, "alice", &name).await.json();
    assert_eq!(
        (&explained["ends_at"], &explained["ends_by"]),
        (&json!(NOW + 3_600_000), &json!("its lifetime of 3600 s"))
    );
    let answer = extend(&api, "alice", &name, json!({"seconds": 600})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ends_at": NOW + 3_600_000})), "it lives so long");
    let answer = extend(&api, "alice", &name, json!({"seconds": 7200.5})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"ends_at": NOW + 7_200_500})));
    let explained = explain(&api, "alice", &name).await.json();
    assert_eq!(explained["ends_at"], NOW + 7_200_500);
    assert_eq!(explained["ends_by"], "its lifetime, extended by its owner");
}

#[tokio::test]
async fn a_pass_ends_what_is_too_old_and_leaves_what_was_extended() {
    let api = lives_for(3600.0).await;
    let (first, second) = (api.running("alice").await, api.running("alice").await);
    extend(&api, "alice", &second, json!({"seconds": 7200})).await;
    api.host.pass(3_600_000);
    api.enforcer.enforce(api.gateway.now()).await.unwrap();
    assert_eq!(api.report("alice", &first).await["status"], "STOPPING");
    assert_snapshot!(explain(&api, "alice", &first).await.json()["reason"]["message"].as_str().unwrap(), @"its lifetime of 3600 s is over");
    assert_eq!(api.report("alice", &second).await["status"], "RUNNING");
}

#[tokio::test]
async fn a_life_without_an_end_has_none_afterwards() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    let before = api.everything_stored();
    let answer = api.post(&format!("/api/v1/clusters/{name}/extend/")).basic("alice").json(&json!({"seconds": 60}));
    assert_eq!(answer.send().await.json(), json!({"ends_at": null}));
    assert_eq!(api.everything_stored(), before);
}

#[tokio::test]
async fn no_life_is_extended_over_its_limit() {
    let api = lives_for(600.0).await;
    let name = api.running("alice").await;
    api.limit("default", Limits { max_lifetime: Some(1800.0), ..Limits::default() }).await;
    let elapsed = api.gateway.now() - NOW;
    api.host.pass(100_000 - elapsed);
    let refused = extend(&api, "alice", &name, json!({"seconds": 1701})).await;
    assert_eq!(refused.status, 422);
    assert_snapshot!(refused.error(), @"`seconds` = 1701 exceeds this cluster's longest lifetime of 1800 s (`max_lifetime` of default): it began at 2027-01-15 08:00:00 UTC, so it lives until 2027-01-15 08:30:00 UTC at most, and 1700 s from now would fit");
    assert_eq!(
        extend(&api, "alice", &name, json!({"seconds": 1700})).await.json(),
        json!({"ends_at": NOW + 1_800_000})
    );

    let policy = Policy { max_lifetime_ms: Some(60_000), ..Policy::default() };
    let api = Api::with(Setup { policy, ..Setup::default() }).await;
    let name = api.running("alice").await;
    let refused = extend(&api, "alice", &name, json!({"seconds": 61})).await;
    assert_snapshot!(refused.error(), @"`seconds` = 61 exceeds this cluster's longest lifetime of 60 s (`max_lifetime` of the gateway): it began at 2027-01-15 08:00:00 UTC, so it lives until 2027-01-15 08:01:00 UTC at most, and 60 s from now would fit");
}

#[tokio::test]
async fn nonsense_strangers_and_the_ended_are_refused_and_nothing_changes() {
    let api = lives_for(600.0).await;
    let name = api.running("alice").await;
    let before = api.everything_stored();
    for body in [
        json!({"seconds": null}),
        json!({"seconds": 0}),
        json!({"seconds": -5}),
        json!({"seconds": "1h"}),
        json!({"seconds": 1e12}),
    ] {
        let refused = extend(&api, "alice", &name, body).await;
        assert_eq!(refused.status, 422);
        assert!(refused.error().starts_with("`seconds` must be a number above 0 and at most 1000000000, not `"));
    }
    for (body, says) in [
        (json!({}), "`seconds` is missing in the body"),
        (json!({"second": 5}), "`second` means nothing in this body; did you mean `seconds`?"),
    ] {
        let refused = extend(&api, "alice", &name, body).await;
        assert_eq!((refused.status.as_u16(), refused.error()), (422, says.to_owned()));
    }
    assert_eq!(extend(&api, "alice", &name, json!([1])).await.status, 422);
    assert_eq!(extend(&api, "bob", &name, json!({"seconds": 900})).await.status, 403);
    assert_eq!(explain(&api, "bob", &name).await.status, 403);
    let none: ClusterName = "0".repeat(32).parse().unwrap();
    assert_eq!(extend(&api, "alice", &none, json!({"seconds": 900})).await.status, 404);
    assert_eq!(explain(&api, "alice", &none).await.status, 404);
    let path = format!("/api/v1/clusters/{name}/extend");
    let by_token = api.post(&path).token(&api.token(&name)).json(&json!({"seconds": 900})).send().await;
    assert_eq!(by_token.status, 401);
    assert_eq!(api.get(&path).basic("alice").send().await.status, 405);
    assert_eq!(api.everything_stored(), before);
    api.end("alice", &name).await;
    let refused = extend(&api, "alice", &name, json!({"seconds": 900})).await;
    assert_eq!((refused.status.as_u16(), refused.error()), (409, format!("Cluster '{name}' is not active any more")));
}

#[tokio::test]
async fn extending_takes_the_warning_of_the_end_away_and_no_other() {
    let api = lives_for(600.0).await;
    let name = api.running("alice").await;
    let stored = api.store.cluster(&name).await.unwrap().unwrap();
    let mut cluster = stored.value;
    cluster.warnings = vec![Reason::new(ReasonCode::MaxLifetime, "soon"), Reason::new(ReasonCode::Budget, "spent")];
    let record = Record::Cluster(Box::new(cluster));
    api.store.transact(vec![Write::Put { record, expect: Expect::Version(stored.version) }]).await.unwrap();
    assert_eq!(explain(&api, "alice", &name).await.json()["warnings"].as_array().unwrap().len(), 2);
    extend(&api, "alice", &name, json!({"seconds": 900})).await;
    let warnings = explain(&api, "alice", &name).await.json()["warnings"].clone();
    assert_eq!(warnings, json!([{"code": "budget", "message": "spent"}]));
}

#[tokio::test]
async fn an_explanation_tells_of_a_clusters_life_and_of_its_end() {
    let api = lives_for(3600.0).await;
    let name = api.create("alice").await;
    let pending = explain(&api, "alice", &name).await;
    assert_eq!(pending.status, 200);
    assert_eq!(
        pending.json(),
        json!({
            "name": name, "status": "PENDING", "target": "RUNNING", "reason": null, "waiting": null,
            "workers": {"wanted": 0, "running": 0, "starting": 0, "stopping": 0, "most": null, "most_by": null},
            "ends_at": NOW + 3_600_000, "ends_by": "its lifetime of 3600 s", "idle_timeout": 900.0, "warnings": [],
            "held_by": [], "tasks": [],
        })
    );
    api.run(&name).await;
    api.want(&name, 2).await;
    assert_eq!(explain(&api, "alice", &name).await.json()["workers"]["running"], 2);
    api.end("alice", &name).await;
    let ended = explain(&api, "alice", &name).await.json();
    assert_eq!(
        (&ended["status"], &ended["target"], &ended["ends_at"]),
        (&json!("STOPPED"), &json!("STOPPED"), &Value::Null)
    );
    assert_eq!(ended["reason"], json!({"code": "user-stopped", "message": "stopped by its user"}));
    let tasks = ended["tasks"].as_array().unwrap();
    let roles: Vec<_> = tasks.iter().map(|task| task["role"].as_str().unwrap()).collect();
    assert_eq!((roles.len(), roles.contains(&"scheduler")), (3, true));
    assert!(tasks.iter().all(|task| task["why"] == "its cluster is stopping"));
}

#[tokio::test]
async fn an_explanation_of_a_failure_has_the_launchers_words() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    *api.launcher.refuses.lock().unwrap() = Some("no such image".into());
    for _ in 0..20 {
        api.turn(&name).await;
        api.host.pass(60_000);
    }
    let explained = explain(&api, "alice", &name).await.json();
    assert_eq!(explained["status"], "FAILED");
    assert!(explained["reason"]["message"].as_str().unwrap().contains("no such image"), "{explained}");
}
