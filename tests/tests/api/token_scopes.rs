//! What a machine token's scopes open, and what no scope does.

use crate::tokens::{CLUSTERS, status, token};
use faregate_api::Dashboards;
use faregate_core::model::ClusterName;
use faregate_core::ports::Store;
use faregate_tests::api::{Api, Call, Setup};
use serde_json::json;

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_for_people_or_admins() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let cluster = format!("/api/v1/clusters/{name}");
    for (scopes, read, create, stop) in [
        (&["read"][..], 200, 403, 403),
        (&["create"], 403, 201, 403),
        (&["stop"], 403, 403, 204),
        (&["create", "read", "stop"], 200, 201, 204),
    ] {
        let (text, id) = token(&api, "alice", scopes).await;
        let (entered, cookie) = {
            let answer = api.get(&cluster).bearer(&text).send().await;
            (answer.status.as_u16(), answer.session().unwrap())
        };
        assert_eq!(entered, read, "{scopes:?}");
        assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, read, "{scopes:?}");
        assert_eq!(status(api.post(CLUSTERS).bearer(&text).json(&json!({}))).await, create, "{scopes:?}");
        assert_eq!(status(api.post(CLUSTERS).cookie(&cookie).json(&json!({}))).await, create, "{scopes:?}");
        assert_eq!(status(api.delete(&cluster).cookie(&cookie)).await, stop, "{scopes:?}");
        for call in [
            api.get("/api/v1/tokens"),
            api.post("/api/v1/tokens").json(&json!({"name": "more", "scopes": ["read"]})),
            api.delete(&format!("/api/v1/tokens/{id}")),
            api.get("/api/v1/admin/limits"),
            api.get("/api/v1/admin/tokens"),
        ] {
            let refused = call.bearer(&text).send().await;
            assert_eq!(refused.status, 403, "{scopes:?}");
            refused.error();
        }
    }
    let (reader, _) = token(&api, "alice", &["read"]).await;
    let refused = api.delete(&cluster).bearer(&reader).send().await.error();
    assert!(refused.contains("the scope `stop`, and has `read`"), "{refused}");
}

#[tokio::test]
async fn what_lets_anybody_in_to_a_cluster_is_for_the_scope_connect() {
    for dashboards in [Dashboards::Here { sign_in: false }, Dashboards::Here { sign_in: true }] {
        let keyed = dashboards.are_keyed();
        let api = Api::with(Setup { dashboards: Some(dashboards), ..Setup::default() }).await;
        let name = api.running("alice").await;
        let whole = api.report("alice", &name).await;
        let key = whole["tls_key"].as_str().unwrap();
        let route = whole["dashboard_route"].as_str().unwrap();
        let cluster = format!("/api/v1/clusters/{name}");
        for (scopes, connects) in [
            (&["read"][..], false),
            (&["read", "stop"], false),
            (&["read", "connect"], true),
            (&["read", "create"], true),
        ] {
            let (text, _) = token(&api, "alice", scopes).await;
            let cookie = api.get(CLUSTERS).bearer(&text).send().await.session().unwrap();
            let ask = |path: &str| [api.get(path).bearer(&text), api.get(path).cookie(&cookie)];
            for call in ask(&cluster) {
                let report = call.send().await.json();
                assert_eq!(report["status"], "RUNNING", "the rest is there: {scopes:?}");
                assert_eq!(report.as_object().unwrap().len(), whole.as_object().unwrap().len(), "{scopes:?}");
                assert_eq!(
                    (report["tls_key"] == key, report["tls_key"].is_null()),
                    (connects, !connects),
                    "{scopes:?}"
                );
                assert_eq!(report["tls_cert"].is_null(), !connects, "{scopes:?}");
                assert_eq!(report["dashboard_route"].is_null(), keyed && !connects, "{scopes:?}");
            }
            for call in ask(CLUSTERS) {
                let listed = call.send().await.json()[name.as_str()]["dashboard_route"].clone();
                assert_eq!(listed.is_null(), keyed && !connects, "{scopes:?}");
            }
            for call in ask(&format!("{cluster}?wait")) {
                let waited = call.send().await;
                assert_eq!(waited.status, if connects { 200 } else { 409 }, "{scopes:?}");
                assert!(connects || waited.error().contains("the scope `connect`, and has `read"), "{waited:?}");
            }
            if !keyed {
                for call in ask(route) {
                    let opened = call.send().await;
                    assert_eq!(opened.status, if connects { 302 } else { 403 }, "{scopes:?}");
                    assert_eq!(opened.set_cookies("faregate-dashboard").is_empty(), !connects, "{scopes:?}");
                }
            }
            if !connects {
                nothing_else_tells(&api, &name, key, ask).await;
            }
        }
    }
}

/// Nothing else that a token may read has the key, or the way to it.
async fn nothing_else_tells(api: &Api, name: &ClusterName, key: &str, ask: impl Fn(&str) -> [Call; 2]) {
    let cluster = Store::cluster(&*api.store, name).await.unwrap().unwrap().value;
    let dashboard_key = api.gateway.clusters.dashboard_key(&cluster).unwrap();
    for path in [&format!("/api/v1/clusters/{name}/explain"), "/api/v1/limits", "/api/v1/usage", "/api/v1/options"] {
        for call in ask(path) {
            let answer = call.send().await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{path}");
            for secret in [key, &dashboard_key, &api.token(name)] {
                assert!(!said.contains(secret), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn where_a_token_may_not_connect_others_clusters_are_still_others() {
    let api = Api::new().await;
    let name = api.running("bob").await;
    let (text, _) = token(&api, "alice", &["read"]).await;
    assert_eq!(status(api.get(&format!("/api/v1/clusters/{name}?wait")).bearer(&text)).await, 403);
    assert_eq!(status(api.get(&format!("/api/v1/clusters/{}?wait", "0".repeat(32))).bearer(&text)).await, 404);
}

#[tokio::test]
async fn an_admins_token_is_no_admin() {
    let api = Api::new().await;
    let (text, _) = token(&api, "root", &["create", "read", "stop"]).await;
    assert_eq!(status(api.get("/api/v1/admin/clusters").basic("root")).await, 200);
    assert_eq!(status(api.get("/api/v1/admin/clusters").bearer(&text)).await, 403);
}
