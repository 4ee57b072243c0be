//! The wire contract's table: every call, as the official client makes it.

use faregate_core::model::Limits;
use faregate_tests::api::{Api, Setup, heartbeat, options};
use serde_json::{Value, json};
use std::future::IntoFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn keys(report: &Value) -> Vec<&str> {
    report.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn health_needs_no_sign_in_and_fails_when_the_store_is_gone() {
    let api = Api::new().await;
    let answer = api.get("/api/health").send().await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "pass"})));
    api.lose_the_store();
    let answer = api.get("/api/health").send().await;
    assert_eq!((answer.status.as_u16(), answer.json()), (503, json!({"status": "fail"})));
}

#[tokio::test]
async fn the_version_needs_no_sign_in() {
    let answer = Api::new().await.get("/api/version").send().await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"version": "1.2.3"})));
}

#[tokio::test]
async fn options_are_described_as_the_client_reads_them() {
    let api = Api::new().await;
    let answer = api.get("/api/v1/options").basic("alice").send().await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"cluster_options": []})));
    let api = Api::with(Setup { options: options(), ..Setup::default() }).await;
    assert_eq!(api.get("/api/v1/options").send().await.status, 401);
    let answer = api.get("/api/v1/options").basic("alice").send().await;
    assert_eq!(
        answer.json()["cluster_options"],
        json!([
            {"field": "worker_cores", "label": "Worker cores", "default": 1,
                "spec": {"type": "int", "min": 1, "max": 4}},
            {"field": "worker_memory", "label": "worker_memory", "default": "2 G", "spec": {"type": "string"}},
            {"field": "period", "label": "period", "default": 3.0,
                "spec": {"type": "float", "min": 0.5, "max": null}},
            {"field": "environment", "label": "environment", "default": {}, "spec": {"type": "mapping"}},
            {"field": "debug", "label": "debug", "default": false, "spec": {"type": "bool"}},
            {"field": "profile", "label": "profile", "default": "small",
                "spec": {"type": "select", "options": ["small", "large"]}},
        ])
    );
}

#[tokio::test]
async fn a_report_holds_the_normalised_options_and_the_keys_of_selects() {
    let api = Api::with(Setup { options: options(), ..Setup::default() }).await;
    let chosen = json!({"cluster_options": {"worker_cores": 2, "period": 2, "profile": "large"}});
    let answer = api.post("/api/v1/clusters").basic("alice").json(&chosen).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let report = api.report("alice", &answer.json()["name"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(
        report["options"],
        json!({"worker_cores": 2, "worker_memory": "2 G", "period": 2.0, "environment": {}, "debug": false,
            "profile": "large"})
    );
}

#[tokio::test]
async fn a_cluster_is_created_and_has_exactly_the_keys_the_client_knows() {
    let api = Api::new().await;
    let answer = api.post("/api/v1/clusters/").basic("alice").json(&json!({"cluster_options": {}})).send().await;
    assert_eq!(answer.status, 201);
    assert_eq!(keys(&answer.json()), ["name"]);
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    let report = api.report("alice", &name.parse().unwrap()).await;
    assert_eq!(
        report,
        json!({
            "name": name, "dashboard_route": null, "status": "PENDING", "start_time": 1_800_000_000_000_i64,
            "stop_time": null, "options": {}, "tls_cert": null, "tls_key": null,
        })
    );
}

#[tokio::test]
async fn a_running_cluster_carries_its_certificate_key_and_dashboard() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let report = api.report("alice", &name).await;
    assert_eq!(report.as_object().unwrap().len(), 8);
    assert_eq!(report["status"], "RUNNING");
    assert!(report["tls_cert"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(report["tls_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
    let route = report["dashboard_route"].as_str().unwrap();
    let key = route.strip_prefix(&format!("/clusters/{name}/")).unwrap().strip_suffix("/status").unwrap();
    assert!(key.len() >= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{key}");
}

#[tokio::test]
async fn a_cluster_without_a_dashboard_has_no_route_to_one() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    api.turn(&name).await;
    let mut body = heartbeat();
    body["dashboard_address"] = json!("");
    api.heartbeat(&name, body).await;
    api.turn(&name).await;
    let report = api.report("alice", &name).await;
    assert_eq!((&report["status"], &report["dashboard_route"]), (&json!("RUNNING"), &Value::Null));
}

#[tokio::test]
async fn lists_hold_ones_own_active_clusters_oldest_first() {
    let api = Api::new().await;
    let first = api.running("alice").await;
    api.host.pass(5);
    let second = api.create("alice").await;
    api.host.pass(5);
    let third = api.create("alice").await;
    let other = api.create("bob").await;
    let stopped = api.delete(&format!("/api/v1/clusters/{second}")).basic("alice").send().await;
    assert_eq!(stopped.status, 204);

    for path in ["/api/v1/clusters/", "/api/v1/clusters", "/api/v1/clusters/?status=pending,Running"] {
        let list = api.get(path).basic("alice").send().await;
        assert_eq!(list.status, 200);
        let text = String::from_utf8(list.body.clone()).unwrap();
        let (at_first, at_third) = (text.find(&format!("\"{first}\":")), text.find(&format!("\"{third}\":")));
        assert!(at_first.unwrap() < at_third.unwrap(), "{text}");
        let list = list.json();
        assert_eq!(list.as_object().unwrap().len(), 2, "{list}");
        for (name, report) in list.as_object().unwrap() {
            assert_eq!(report["name"], *name);
            let known =
                ["name", "dashboard_route", "status", "start_time", "stop_time", "options", "tls_cert", "tls_key"];
            assert!(keys(report).iter().all(|key| known.contains(key)), "{report}");
        }
        assert!(list[first.as_str()]["dashboard_route"].is_string());
        assert!(list.get(other.as_str()).is_none());
    }
    let stopping = api.get("/api/v1/clusters/?status=STOPPING").basic("alice").send().await.json();
    assert_eq!(keys(&stopping), [second.as_str()]);
    let nobody = api.get("/api/v1/clusters/").basic("carol").send().await;
    assert_eq!((nobody.status.as_u16(), nobody.json()), (200, json!({})));
}

#[tokio::test]
async fn an_unknown_status_is_refused_and_the_known_ones_are_named() {
    let api = Api::new().await;
    for query in ["nope", "running,nope", "", "running,", "RUNNING%0A"] {
        let refused = api.get(&format!("/api/v1/clusters/?status={query}")).basic("alice").send().await;
        assert_eq!(refused.status, 422, "{query}");
        assert!(refused.error().contains("PENDING, RUNNING, STOPPING, STOPPED, FAILED"));
    }
}

#[tokio::test]
async fn anothers_cluster_is_forbidden_and_none_is_not_found() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let none = "0".repeat(32);
    let body = json!({"count": 1});
    for (method, path) in [("GET", ""), ("GET", "?wait"), ("POST", "/scale"), ("POST", "/adapt")] {
        let forbidden =
            api.call(method, &format!("/api/v1/clusters/{name}{path}")).basic("bob").json(&body).send().await;
        assert_eq!(forbidden.status, 403, "{method} {path}");
        assert!(!forbidden.error().contains("alice"));
        let missing = api.call(method, &format!("/api/v1/clusters/{none}{path}")).basic("bob").json(&body).send().await;
        assert_eq!(missing.status, 404, "{method} {path}");
        missing.error();
    }
    let forbidden = api.delete(&format!("/api/v1/clusters/{name}")).basic("bob").send().await;
    assert_eq!(forbidden.status, 403);
    assert_eq!(api.report("alice", &name).await["status"], "RUNNING");
}

#[tokio::test]
async fn deleting_answers_204_for_anything_that_is_not_anothers() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for _ in 0..2 {
        let deleted = api.delete(&format!("/api/v1/clusters/{name}")).basic("alice").send().await;
        assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
        assert_eq!(api.get("/api/v1/clusters/").basic("alice").send().await.json(), json!({}));
    }
    for none in ["0".repeat(32), "nonsense".into(), "a%0Ab".into()] {
        assert_eq!(api.delete(&format!("/api/v1/clusters/{none}")).basic("alice").send().await.status, 204, "{none}");
    }
}

#[tokio::test]
async fn a_cluster_deletes_itself_with_its_token_and_no_other() {
    let api = Api::new().await;
    let (name, other) = (api.running("alice").await, api.running("alice").await);
    let path = format!("/api/v1/clusters/{name}");
    let refused = api.delete(&path).token(&api.token(&other)).send().await;
    assert_eq!(refused.status, 401);
    assert_eq!(api.report("alice", &name).await["status"], "RUNNING");
    assert_eq!(api.delete(&path).token(&api.token(&name)).send().await.status, 204);
    assert_eq!(api.report("alice", &name).await["status"], "STOPPING");
    // asked once and never again: also fine when it has ended, or never was
    assert_eq!(api.delete(&path).token(&api.token(&name)).send().await.status, 204);
    let gone = "0".repeat(32).parse().unwrap();
    assert_eq!(api.delete(&format!("/api/v1/clusters/{gone}")).token(&api.token(&gone)).send().await.status, 204);
}

#[tokio::test]
async fn an_ended_cluster_has_a_stop_time_and_no_secrets() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    api.delete(&format!("/api/v1/clusters/{name}")).basic("alice").send().await;
    for _ in 0..10 {
        api.host.pass(60_000);
        api.turn(&name).await;
    }
    let report = api.report("alice", &name).await;
    assert_eq!(report["status"], "STOPPED");
    assert!(report["stop_time"].as_i64().unwrap() > report["start_time"].as_i64().unwrap());
    for key in ["dashboard_route", "tls_cert", "tls_key"] {
        assert_eq!(report[key], Value::Null, "{key}");
    }
}

#[tokio::test]
async fn a_limit_on_clusters_is_refused_with_a_sentence_that_names_it() {
    let api = Api::new().await;
    api.limit("default", Limits { clusters: Some(2), ..Limits::default() }).await;
    let (_, _) = (api.create("alice").await, api.create("alice").await);
    let refused = api.post("/api/v1/clusters/").basic("alice").json(&json!({"cluster_options": {}})).send().await;
    assert_eq!(refused.status, 422);
    let sentence = refused.error();
    assert!(sentence.contains("`clusters` = 2"), "{sentence}");
    api.create("bob").await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_json() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    for path in ["/", "/api", "/api/v2/clusters", "/api/v1/clusters//", &format!("/clusters/{name}/status"), "/%ff"] {
        let refused = api.get(path).basic("alice").send().await;
        assert_eq!(refused.status, 404, "{path}");
        refused.error();
    }
    for (method, path) in [
        ("DELETE", "/api/health"),
        ("PUT", "/api/v1/clusters/"),
        ("OPTIONS", "/api/v1/clusters/"),
        ("BREW", "/api/v1/clusters/"),
        ("PATCH", &format!("/api/v1/clusters/{name}")),
        ("GET", &format!("/api/v1/clusters/{name}/scale")),
    ] {
        let refused = api.call(method, path).basic("alice").send().await;
        assert_eq!(refused.status, 405, "{method} {path}");
        refused.error();
        assert!(refused.headers.contains_key("allow"), "{method} {path}");
    }
}

#[tokio::test]
async fn nothing_is_ever_a_redirect() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for path in [
        "/api/health",
        "/api/version",
        "/api/v1/options",
        "/api/v1/clusters",
        &format!("/api/v1/clusters/{name}"),
        &format!("/api/v1/clusters/{name}/scale"),
    ] {
        for path in [path.to_owned(), format!("{path}/"), format!("{path}?x=y")] {
            let answer = api.get(&path).basic("alice").send().await;
            assert!(!answer.status.is_redirection(), "{path}: {answer:?}");
            assert_ne!(answer.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn everything_is_served_below_a_prefix_and_routes_are_relative_to_it() {
    let prefix = "/services/dask-gateway";
    let api = Api::with(Setup { prefix: prefix.into(), ..Setup::default() }).await;
    let name = api.running("alice").await;
    let report = api.report("alice", &name).await;
    assert!(report["dashboard_route"].as_str().unwrap().starts_with(&format!("/clusters/{name}/")));
    let outside = faregate_tests::api::Call::new(api.router.clone(), "GET", "/api/version").send().await;
    assert_eq!(outside.status, 404);
    outside.error();
}

#[tokio::test]
async fn a_store_that_is_gone_is_a_503_with_a_sentence() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    api.lose_the_store();
    for call in [
        api.get("/api/v1/clusters/"),
        api.get(&format!("/api/v1/clusters/{name}")),
        api.delete(&format!("/api/v1/clusters/{name}")),
    ] {
        let answer = call.basic("alice").send().await;
        assert_eq!(answer.status, 503);
        answer.error();
    }
}

#[tokio::test]
async fn on_a_real_connection_a_refused_body_of_any_size_gets_its_answer_and_the_connection_lives_on() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, api.router.clone()).into_future());
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let large = " ".repeat(8 << 20);
    for (authorization, body, status) in [
        ("X: y", large.as_str(), "401"),
        ("X: y", "{\"count\": 1}", "401"),
        ("Authorization: Basic YWxpY2U6eA==", large.as_str(), "422"),
        ("Authorization: Basic YWxpY2U6eA==", "{\"count\": 1}", "200"),
    ] {
        let head = format!(
            "POST /api/v1/clusters/{name}/scale HTTP/1.1\r\nHost: x\r\n{authorization}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(body.as_bytes()).await.unwrap();
        // every answer of this path is one JSON object, in braces
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0, "closed after {answer:?}");
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    server.abort();
}
