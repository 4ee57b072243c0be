//! Where some networks are named, clients come from there. Clusters come from anywhere.

use faregate_tests::api::{Api, Setup, heartbeat};

const INSIDE: &str = "192.0.2.7";
const OUTSIDE: &str = "198.51.100.9";

async fn narrowed() -> Api {
    let client_networks = ["192.0.2.0/24", "2001:db8::/32"].map(|network| network.parse().unwrap()).into();
    Api::with(Setup { client_networks, ..Setup::default() }).await
}

#[tokio::test]
async fn clients_from_a_named_network_are_served() {
    let api = narrowed().await;
    for address in [INSIDE, "::ffff:192.0.2.7", "2001:db8:1::1"] {
        assert_eq!(api.get("/api/v1/clusters/").from(address).basic("alice").send().await.status, 200, "{address}");
        assert_eq!(api.get("/api/version").from(address).send().await.status, 200, "{address}");
    }
}

#[tokio::test]
async fn others_are_refused_whoever_they_are_with_a_sentence_that_names_the_parameter() {
    let api = narrowed().await;
    for path in ["/api/v1/clusters/", "/api/v1/options", "/api/version", "/api/health", "/api/v1/admin/clusters"] {
        let answer = api.get(path).from(OUTSIDE).basic("root").send().await;
        assert_eq!(answer.status, 403, "{path}");
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(said.contains(OUTSIDE) && said.contains("`ApiClientCidr`"), "{said}");
    }
    let unknown = api.get("/api/v1/clusters/").basic("alice").send().await;
    assert_eq!(unknown.status, 403, "nobody knows where it comes from");
}

#[tokio::test]
async fn passwords_are_not_tried_from_outside() {
    let api = narrowed().await;
    for _ in 0..100 {
        let answer = api.get("/api/v1/clusters/").from(OUTSIDE).credentials("alice:wrong").send().await;
        assert_eq!(answer.status, 403);
    }
    assert_eq!(api.get("/api/v1/clusters/").from(INSIDE).basic("alice").send().await.status, 200, "nobody is blocked");
}

#[tokio::test]
async fn a_cluster_reports_from_anywhere_with_its_token() {
    let api = narrowed().await;
    let created = api.post("/api/v1/clusters/").from(INSIDE).basic("alice").json(&serde_json::json!({})).send().await;
    let name = created.json()["name"].as_str().unwrap().parse().unwrap();
    api.turn(&name).await;
    let path = format!("/api/v1/clusters/{name}/heartbeat");
    let beat = |token: String| api.post(&path).from(OUTSIDE).token(&token).json(&heartbeat()).send();
    assert_eq!(beat(api.token(&name)).await.status, 200);
    assert_eq!(beat("wrong".into()).await.status, 401);
}
