//! Users who are removed and tokens that are revoked: what they started, and who connects to it.

use faregate_core::model::ClusterName;
use faregate_core::ports::{Route, Store};
use faregate_gateway::admin::Act;
use faregate_tests::api::{Api, Setup};
use serde_json::{Value, json};

const CLUSTERS: &str = "/api/v1/clusters/";

fn act() -> Act {
    Act::new("command line: carol", Some("she has left")).unwrap()
}

/// A RUNNING cluster that was started with a new token of alice's, the token's text and its id.
async fn by_token(api: &Api) -> (ClusterName, String, String) {
    let body = json!({"name": "nightly", "scopes": ["create", "read"]});
    let made = api.post("/api/v1/tokens").basic("alice").json(&body).send().await.json();
    let word = |key: &str| made[key].as_str().unwrap().to_owned();
    let (text, id) = (word("token"), word("id"));
    let created = api.post(CLUSTERS).bearer(&text).json(&json!({})).send().await.json();
    let name: ClusterName = created["name"].as_str().unwrap().parse().unwrap();
    api.run(&name).await;
    (name, text, id)
}

async fn explained(api: &Api, name: &ClusterName) -> Value {
    api.get(&format!("/api/v1/clusters/{name}/explain")).basic("alice").send().await.json()
}

/// What is on record of clusters that were stopped: who did it, of whom, and why.
async fn stops_on_record(api: &Api) -> Vec<[String; 3]> {
    let audit = api.get("/api/v1/admin/audit").basic("root").send().await.json();
    let all = audit["audit"].as_array().unwrap().iter().filter(|entry| entry["action"] == "stop-clusters");
    all.map(|entry| ["who", "target", "why"].map(|key| entry[key].as_str().unwrap_or("-").to_owned())).collect()
}

#[tokio::test]
async fn a_revoked_token_stops_what_it_started_when_that_is_asked_for() {
    let api = Api::new().await;
    let (name, text, id) = by_token(&api).await;
    let (other, _, _) = by_token(&api).await;
    let own = api.running("alice").await;
    let revoke = async |query: &str| api.delete(&format!("/api/v1/tokens/{id}{query}")).basic("alice").send().await;
    assert_eq!(revoke("?stop=maybe").await.status, 422);
    let plain = revoke("").await.json();
    assert_eq!((&plain["valid"], plain.get("stopped")), (&json!(false), None));
    assert_eq!(api.report("alice", &name).await["status"], "RUNNING");
    // within the minute in which a replica may still believe in it, nothing new begins
    assert_eq!(api.post(CLUSTERS).bearer(&text).json(&json!({})).send().await.status, 401);
    let stopped = revoke("?stop=true").await.json();
    assert_eq!(stopped["stopped"], json!([name]));
    assert_eq!(revoke("?stop").await.json()["stopped"], json!([]), "again changes nothing");
    let why = explained(&api, &name).await["reason"].clone();
    assert_eq!(why["code"], "token-revoked");
    assert_eq!(why["message"], format!("stopped as the machine token `{id}`, which started it, was revoked"));
    for name in [&other, &own] {
        assert_eq!(api.report("alice", name).await["status"], "RUNNING");
    }
    let once = ["alice".to_owned(), format!("group:token:{id}"), "-".to_owned()];
    assert_eq!(stops_on_record(&api).await, [once.clone(), once]);
}

#[tokio::test]
async fn an_admin_revokes_and_stops_with_a_reason() {
    let api = Api::new().await;
    let (name, _, id) = by_token(&api).await;
    let path = format!("/api/v1/admin/tokens/{id}?stop=1&why=it+leaked");
    let stopped = api.delete(&path).basic("root").send().await.json();
    assert_eq!(stopped["stopped"], json!([name]));
    let message = explained(&api, &name).await["reason"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("was revoked: it leaked"), "{message}");
    let once = ["root".to_owned(), format!("group:token:{id}"), "it leaked".to_owned()];
    assert_eq!(stops_on_record(&api).await, [once]);
}

#[tokio::test]
async fn a_session_of_a_token_that_another_process_revoked_starts_nothing_more() {
    let api = Api::new().await;
    let (_, text, id) = by_token(&api).await;
    let cookie = api.get(CLUSTERS).bearer(&text).send().await.session().unwrap();
    let other = faregate_auth::access::Access::new(api.store.clone(), api.host.clone());
    other.revoke(faregate_auth::access::By::Admin(&act()), &id).await.unwrap();
    assert_eq!(api.get(CLUSTERS).cookie(&cookie).send().await.status, 200, "it is believed in for a minute");
    let refused = api.post(CLUSTERS).cookie(&cookie).json(&json!({})).send().await;
    assert_eq!((refused.status.as_u16(), refused.error().as_str()), (403, "this token was revoked, or has expired"));
}

#[tokio::test]
async fn what_a_removed_user_runs_is_stopped_with_that_reason() {
    let api = Api::new().await;
    let (one, two) = (api.running("alice").await, api.create("alice").await);
    let (by_token, _, _) = by_token(&api).await;
    let bobs = api.running("bob").await;
    let key = api.gateway.ring().user_key("alice");
    for key in [Some(&key), None] {
        let stopped = api.gateway.admin().stop_removed(&act(), "alice", key).await.unwrap().stopped;
        assert_eq!(stopped.len(), if key.is_some() { 3 } else { 0 }, "{stopped:?}");
    }
    for name in [&one, &two, &by_token] {
        let why = explained(&api, name).await["reason"].clone();
        assert_eq!(why["code"], "user-removed");
        assert_eq!(why["message"], "stopped as its user was removed by an administrator: she has left");
    }
    assert_eq!(api.report("bob", &bobs).await["status"], "RUNNING");
    let once = ["command line: carol", "user:alice", "she has left"].map(str::to_owned);
    assert_eq!(stops_on_record(&api).await, [once.clone(), once]);
}

#[tokio::test]
async fn what_a_removed_user_may_keep_is_closed_until_they_are_back() {
    let api = Api::with(Setup::default()).await;
    let (name, bobs) = (api.running("alice").await, api.running("bob").await);
    let pending = api.create("alice").await;
    let closed = |name: &ClusterName| api.routes.of(name).map(|route: Route| route.closed);
    assert_eq!((closed(&name), closed(&bobs), closed(&pending)), (Some(false), Some(false), None));
    let key = api.gateway.ring().user_key("alice");
    let admin = api.gateway.admin();
    assert_eq!(admin.close("alice", Some(&key), true).await.unwrap(), 2);
    api.turn(&name).await;
    api.run(&pending).await;
    assert_eq!((closed(&name), closed(&bobs), closed(&pending)), (Some(true), Some(false), Some(true)));
    assert_eq!(api.report("alice", &name).await["status"], "RUNNING");
    let before = api.store.cluster(&name).await.unwrap().unwrap().version;
    api.turn(&name).await;
    assert_eq!(api.store.cluster(&name).await.unwrap().unwrap().version, before, "told once");
    assert_eq!(admin.close("alice", Some(&key), true).await.unwrap(), 0);
    assert_eq!(admin.close("alice", None, false).await.unwrap(), 2);
    api.turn(&name).await;
    assert_eq!((closed(&name), closed(&bobs)), (Some(false), Some(false)));
}
