//! What is another's: every route there is, tried by everybody who has no business with it. The list is the router's own, so that a
//! new route cannot be forgotten.

use faregate_api::{Dashboards, Route, Who, routes};
use faregate_core::model::{ClusterName, Limits};
use faregate_keys::Use;
use faregate_tests::api::{Answer, Api, Call, Setup, heartbeat};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Alice has two clusters, of which one runs; bob has one.
struct Stage {
    api: Api,
    alices: ClusterName,
    bobs: ClusterName,
}

/// Somebody, as a request shows them.
type Shown<'a> = &'a dyn Fn(Call) -> Call;

impl Stage {
    async fn new() -> Stage {
        let dashboards = Some(Dashboards::Here { sign_in: true });
        let api = Api::with(Setup { dashboards, ..Setup::default() }).await;
        let limits = Limits { clusters: Some(3), workers: Some(4), ..Limits::default() };
        api.limit("default", limits).await;
        let alices = api.running("alice").await;
        api.want(&alices, 2).await;
        let bobs = api.running("bob").await;
        Stage { api, alices, bobs }
    }

    /// Alice's own thing at this route.
    fn path(&self, route: &Route) -> String {
        let known = [
            ("{name}", self.alices.as_str()),
            ("{*user}", "alice"),
            ("{*scope}", "user:alice"),
            ("{id}", "0123456789abcdef"),
        ];
        let path = known.iter().fold(route.path.to_owned(), |path, (hole, with)| path.replace(hole, with));
        assert!(!path.contains('{'), "what stands for the hole in {path}?");
        path
    }

    async fn ask(&self, method: &str, path: &str, shown: Shown<'_>) -> Answer {
        let call = shown(self.api.call(method, path));
        if method == "GET" { call.send().await } else { call.json(&body(path)).send().await }
    }

    /// What is stored of alice, but for when what was seen.
    fn of_alice(&self) -> BTreeMap<String, Vec<String>> {
        let mut all = self.api.everything_stored();
        let user = self.alices.user_key();
        let hers =
            |row: &String| row.contains("alice") || row.contains(self.alices.as_str()) || row.contains(user.as_str());
        all.values_mut().for_each(|rows| rows.retain(hers));
        all
    }
}

/// A body that the route's owner could send.
fn body(path: &str) -> Value {
    match path.rsplit('/').next().unwrap_or_default() {
        "scale" => json!({"count": 1}),
        "adapt" => json!({"minimum": 0, "maximum": 1, "active": true}),
        "extend" => json!({"seconds": 60}),
        "heartbeat" => heartbeat(),
        "freeze" | "unfreeze" => json!({"scope": "user:alice", "why": "a test"}),
        "tokens" => json!({"name": "ci", "user": "alice", "scopes": ["read"]}),
        "dashboard" => json!({"why": "a test"}),
        _ if path.contains("/admin/limits/") => json!({"set": {"clusters": 0}, "why": "a test"}),
        _ => json!({}),
    }
}

fn about_a_cluster(route: &Route) -> bool {
    route.path.contains("{name}")
}

#[tokio::test]
async fn nobody_gets_anything_without_credentials() {
    let stage = Stage::new().await;
    let before = stage.api.everything_stored();
    for route in routes() {
        let answer = stage.ask(route.method.as_str(), &stage.path(&route), &|call| call).await;
        let expected = if route.access.who == Who::Anybody { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{} {}", route.method, route.path);
    }
    assert_eq!(stage.api.everything_stored(), before);
}

#[tokio::test]
async fn one_user_has_no_way_to_what_is_anothers() {
    let stage = Stage::new().await;
    let session = stage.api.get("/api/v1/options").basic("bob").send().await.session().unwrap();
    let before = stage.of_alice();
    let ways: [Shown<'_>; 2] = [&|call| call.basic("bob"), &|call| call.cookie(&session)];
    for route in routes().iter().filter(|route| route.access.who != Who::Anybody) {
        for way in ways {
            let answer = stage.ask(route.method.as_str(), &stage.path(route), way).await;
            let shown = String::from_utf8_lossy(&answer.body).into_owned();
            let place = format!("{} {}: {} {shown}", route.method, route.path, answer.status);
            match route.access.who {
                Who::Cluster => assert_eq!(answer.status, 401, "{place}"),
                Who::Admin => assert_eq!(answer.status, 403, "{place}"),
                _ if about_a_cluster(route) => assert_eq!(answer.status, 403, "{place}"),
                // another's token is a token that there is not
                _ if route.path.contains("{id}") => assert_eq!(answer.status, 404, "{place}"),
                // his own things
                _ => assert!(answer.status.is_success() || answer.status == 422, "{place}"),
            }
            let told = shown.contains("alice") || (!about_a_cluster(route) && shown.contains(stage.alices.as_str()));
            assert!(!told, "{place}");
        }
    }
    assert_eq!(stage.of_alice(), before);
}

#[tokio::test]
async fn an_admin_acts_on_anothers_cluster_by_the_admins_routes_alone() {
    let stage = Stage::new().await;
    let before = stage.of_alice();
    for route in routes().iter().filter(|route| route.access.who != Who::Admin && about_a_cluster(route)) {
        let answer = stage.ask(route.method.as_str(), &stage.path(route), &|call| call.basic("root")).await;
        let expected = if route.access.who == Who::Cluster { 401 } else { 403 };
        assert_eq!(answer.status, expected, "{} {}", route.method, route.path);
    }
    assert_eq!(stage.of_alice(), before);
}

#[tokio::test]
async fn a_token_of_a_cluster_opens_its_own_heartbeat_and_end_and_nothing_else() {
    let stage = Stage::new().await;
    let ring = stage.api.gateway.ring();
    let (bobs, alices) = (stage.api.token(&stage.bobs), stage.api.token(&stage.alices));
    let dashboards = ring.token(&ring.newest().id, Use::Dashboard, &stage.alices).unwrap();
    let before = stage.of_alice();
    for route in routes().iter().filter(|route| route.access.who != Who::Anybody) {
        for token in [&bobs, &dashboards] {
            let answer = stage.ask(route.method.as_str(), &stage.path(route), &|call| call.token(token)).await;
            assert_eq!(answer.status, 401, "{} {}", route.method, route.path);
        }
        if !matches!(route.access.who, Who::Cluster | Who::UserOrCluster) {
            let answer = stage.ask(route.method.as_str(), &stage.path(route), &|call| call.token(&alices)).await;
            assert!([401, 403].contains(&answer.status.as_u16()), "{} {}", route.method, route.path);
        }
    }
    assert_eq!(stage.of_alice(), before);
}

#[tokio::test]
async fn a_dashboard_opens_to_its_owner_alone() {
    let stage = Stage::new().await;
    let path = format!("/clusters/{}/status", stage.alices);
    assert_eq!(stage.api.get(&path).basic("alice").send().await.status, 302);
    for (who, status) in [("bob", 403), ("root", 403)] {
        let answer = stage.api.get(&path).basic(who).send().await;
        assert_eq!((answer.status.as_u16(), answer.headers.get("location")), (status, None), "{who}");
        assert!(answer.set_cookies("faregate-dashboard").is_empty(), "{who}");
    }
    let answer = stage.api.get(&path).token(&stage.api.token(&stage.bobs)).send().await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn one_user_cannot_use_up_what_another_may_have() {
    let stage = Stage::new().await;
    for expected in [201, 201, 422, 422, 422] {
        let answer = stage.api.post("/api/v1/clusters/").basic("bob").json(&json!({})).send().await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    stage.api.want(&stage.bobs, 10).await;
    assert_eq!(stage.api.launcher.workers(&stage.bobs).len(), 4, "his own limit");
    stage.api.create("alice").await;
    stage.api.want(&stage.alices, 4).await;
    assert_eq!(stage.api.launcher.workers(&stage.alices).len(), 4);
}
