//! A session is believed in for up to a minute after its password was changed: nothing begins in it that lasts longer.

use crate::passwords::{act, with_passwords_and};
use axum::body::Body;
use faregate_api::Dashboards;
use faregate_auth::access::Access;
use faregate_core::model::ClusterName;
use faregate_tests::api::{Answer, Api, Call, Setup};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::convert::Infallible;
use tower::ServiceExt;

const CLUSTERS: &str = "/api/v1/clusters";
const CHANGED: &str = "this session began with a password that is no longer the account's: sign in again";
const REMOVED: &str = "this user was removed by an administrator";

/// A session of an hour's that a gateway believes in, and a cluster that runs for it.
struct Old {
    api: Api,
    cookie: String,
    name: ClusterName,
}

impl Old {
    async fn of(user: &str) -> Old {
        Old::at(user, Dashboards::Here { sign_in: true }).await
    }

    async fn at(user: &str, dashboards: Dashboards) -> Old {
        let setup = Setup { dashboards: Some(dashboards), ..Setup::default() };
        let api = with_passwords_and(&[(user, "first password")], setup).await;
        api.host.pass(1);
        let entered = api.get(CLUSTERS).credentials(&format!("{user}:first password")).send().await;
        let cookie = entered.session().unwrap();
        let created = api.post(CLUSTERS).cookie(&cookie).json(&json!({})).send().await.json();
        let name: ClusterName = created["name"].as_str().unwrap().parse().unwrap();
        api.run(&name).await;
        let old = Old { api, cookie, name };
        assert_eq!(old.get("").await.status, 200);
        old
    }

    /// Another replica's, of whose doing this one hears nothing.
    fn elsewhere(&self) -> Access {
        self.api.host.pass(1);
        Access::new(self.api.store.clone(), self.api.host.clone())
    }

    async fn with_changed_password(user: &str) -> Old {
        let old = Old::of(user).await;
        old.elsewhere().set_password(&act(), user, "second password").await.unwrap();
        old
    }

    async fn with_another_of_the_name() -> Old {
        let old = Old::of("alice").await;
        let access = old.elsewhere();
        access.remove_user(&act(), "alice").await.unwrap();
        old.api.host.pass(1);
        access.add_user(&act(), "alice", "first password").await.unwrap();
        old
    }

    fn cluster(&self, below: &str) -> String {
        format!("{CLUSTERS}/{}{below}", self.name)
    }

    async fn send(&self, call: Call) -> Answer {
        call.cookie(&self.cookie).send().await
    }

    async fn get(&self, below: &str) -> Answer {
        self.send(self.api.get(&self.cluster(below))).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.api.post(path).json(&body)).await
    }
}

fn a_token() -> Value {
    json!({"name": "x", "scopes": ["create"], "expires_in": 359 * 24 * 3_600})
}

fn refused(answer: &Answer, sentence: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.error(), sentence);
}

#[tokio::test]
async fn once_the_password_was_changed_it_makes_no_token() {
    let old = Old::with_changed_password("alice").await;
    refused(&old.post("/api/v1/tokens", a_token()).await, CHANGED);
    assert_eq!(old.api.access.tokens(None).await.unwrap(), []);
}

#[tokio::test]
async fn once_the_password_was_changed_it_starts_no_cluster() {
    let old = Old::with_changed_password("alice").await;
    refused(&old.post(CLUSTERS, json!({})).await, CHANGED);
}

#[tokio::test]
async fn once_the_password_was_changed_it_changes_no_cluster() {
    for (below, body) in [
        ("/extend", json!({"seconds": 1_000_000})),
        ("/scale", json!({"count": 3})),
        ("/adapt", json!({"minimum": 3, "maximum": 9})),
    ] {
        let old = Old::with_changed_password("alice").await;
        refused(&old.post(&old.cluster(below), body).await, CHANGED);
    }
}

#[tokio::test]
async fn once_the_password_was_changed_it_stops_no_cluster() {
    let old = Old::with_changed_password("alice").await;
    refused(&old.send(old.api.delete(&old.cluster(""))).await, CHANGED);
}

#[tokio::test]
async fn once_the_password_was_changed_it_is_given_no_clusters_key() {
    for query in ["", "?wait"] {
        let old = Old::with_changed_password("alice").await;
        refused(&old.get(query).await, CHANGED);
    }
}

#[tokio::test]
async fn once_the_password_was_changed_it_opens_no_dashboard() {
    let old = Old::with_changed_password("alice").await;
    let answer = old.send(old.api.get(&format!("/clusters/{}/status", old.name))).await;
    refused(&answer, CHANGED);
    assert!(answer.set_cookies("faregate-dashboard").is_empty());
}

#[tokio::test]
async fn once_an_admins_password_was_changed_it_makes_no_token_of_anybodys() {
    let old = Old::with_changed_password("root").await;
    let mut body = a_token();
    body["user"] = json!("bob");
    refused(&old.post("/api/v1/admin/tokens", body).await, CHANGED);
}

#[tokio::test]
async fn once_an_admins_password_was_changed_it_sets_no_limits() {
    let old = Old::with_changed_password("root").await;
    let call = old.api.call("PATCH", "/api/v1/admin/limits/default").json(&json!({"set": {"clusters": 1}}));
    refused(&old.send(call).await, CHANGED);
}

#[tokio::test]
async fn once_another_has_the_name_it_makes_no_token_of_theirs() {
    let old = Old::with_another_of_the_name().await;
    refused(&old.post("/api/v1/tokens", a_token()).await, CHANGED);
}

#[tokio::test]
async fn once_another_has_the_name_it_starts_no_cluster_of_theirs() {
    let old = Old::with_another_of_the_name().await;
    refused(&old.post(CLUSTERS, json!({})).await, CHANGED);
}

#[tokio::test]
async fn once_another_has_the_name_it_is_given_no_key_of_theirs() {
    let old = Old::with_another_of_the_name().await;
    refused(&old.get("").await, CHANGED);
}

#[tokio::test]
async fn once_its_user_was_removed_it_starts_no_cluster() {
    let old = Old::of("alice").await;
    old.elsewhere().remove_user(&act(), "alice").await.unwrap();
    refused(&old.post(CLUSTERS, json!({})).await, REMOVED);
}

#[tokio::test]
async fn what_was_on_its_way_when_the_password_was_changed_makes_no_token() {
    let old = Old::of("alice").await;
    let elsewhere = old.elsewhere();
    // the body arrives after that: whose it is was looked at before
    let late = async move {
        elsewhere.set_password(&act(), "alice", "second password").await.unwrap();
        Ok::<_, Infallible>(a_token().to_string())
    };
    let request = Request::post("/api/v1/tokens").header("cookie", format!("faregate-session={}", old.cookie));
    let request = request.body(Body::from_stream(futures::stream::once(late))).unwrap();
    let answer = old.api.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 403);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, json!({ "error": CHANGED }).to_string());
}

#[tokio::test]
async fn it_still_looks_for_a_minute() {
    let old = Old::with_changed_password("alice").await;
    assert_eq!(old.send(old.api.get(CLUSTERS)).await.status, 200);
    old.api.host.pass(60_000);
    assert_eq!(old.send(old.api.get(CLUSTERS)).await.status, 401);
}

#[tokio::test]
async fn where_links_carry_keys_it_lists_none() {
    let old = Old::at("alice", Dashboards::Here { sign_in: false }).await;
    let link = async || old.send(old.api.get(CLUSTERS)).await.json()[old.name.as_str()]["dashboard_route"].clone();
    assert!(link().await.is_string());
    old.elsewhere().set_password(&act(), "alice", "second password").await.unwrap();
    assert!(link().await.is_null());
}
