//! Paths that a front door has decoded, and links to dashboards that are elsewhere.

use faregate_api::Dashboards;
use faregate_core::model::ClusterName;
use faregate_keys::Use;
use faregate_tests::api::{Answer, Api, Setup, heartbeat};
use serde_json::{Value, json};

fn dashboards(dashboards: Dashboards) -> Setup {
    Setup { dashboards: Some(dashboards), ..Setup::default() }
}

fn elsewhere() -> Dashboards {
    Dashboards::Elsewhere { url: "https://dash.example:8443/proxy".into(), sign_in: false }
}

/// Asks for a path of any text, as a front door passes it on that has undone its escapes: escaped again.
async fn ask(api: &Api, method: &str, path: &str, query: &str) -> Answer {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"/-_~.".contains(&b);
    let escaped: String =
        path.bytes().map(|b| if keep(b) { char::from(b).into() } else { format!("%{b:02X}") }).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    let slash = if escaped.starts_with('/') { "" } else { "/" };
    api.call(method, &format!("{slash}{escaped}{query}")).basic("alice").body("{\"count\": 1}").send().await
}

#[tokio::test]
async fn a_plain_request_is_served() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for (path, query) in
        [(format!("/api/v1/clusters/{name}"), "wait"), ("/api/v1/clusters/".into(), "status=running,pending")]
    {
        let answer = ask(&api, "GET", &path, query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.session().is_some());
        assert!(answer.json().to_string().contains(name.as_str()));
    }
    assert_eq!(ask(&api, "POST", &format!("/api/v1/clusters/{name}/scale"), "").await.status, 200);
    assert_eq!(ask(&api, "GET", "/api/health", "").await.status, 200);
}

/// What stands where a cluster's name should, in paths.
fn odd_names(name: &ClusterName) -> Vec<String> {
    vec![
        format!("{name}\n"),
        format!("{name}\r\nx: y"),
        format!("{name}\t"),
        format!(" {name}"),
        format!("{name} "),
        format!("{name}?"),
        format!("{name}?wait"),
        format!("{name}#x"),
        format!("{name}/"),
        format!("{name}\\"),
        format!("{name}\0"),
        format!("{name}é"),
        format!("{name};x"),
        format!("x/../{name}"),
        format!("./{name}"),
        format!("%{:02x}{}", name.as_str().as_bytes()[0], &name.as_str()[1..]),
        format!("{name}%0A"),
        format!("/{name}"),
        format!("a/{name}"),
        "é".into(),
        "\u{1F980}".into(),
        "%".into(),
        "..".into(),
        "../..".into(),
        "http://[".into(),
        " ".into(),
        "\n".into(),
        "a".repeat(9000),
    ]
}

#[tokio::test]
async fn odd_paths_are_404_whichever_cluster_they_resemble() {
    let api = Api::with(dashboards(elsewhere())).await;
    let name = api.running("alice").await;
    let odd = odd_names(&name);
    let before = (api.everything_stored(), api.wakes.sent());
    for odd in &odd {
        for (method, path) in [
            ("GET", format!("/api/v1/clusters/{odd}")),
            ("GET", format!("/api/v1/clusters/{odd}/")),
            ("POST", format!("/api/v1/clusters/{odd}/scale")),
            ("GET", format!("/clusters/{odd}/status")),
            ("GET", format!("/clusters/{odd}")),
        ] {
            let answer = ask(&api, method, &path, "").await;
            // one slash at the end is a path of the API, and what follows a name belongs to its dashboard, whatever it is
            let right = match path.strip_prefix(&format!("/clusters/{name}/")) {
                Some(tail) if !tail.is_empty() => 307,
                _ if path == format!("/api/v1/clusters/{name}/") => 200,
                _ => 404,
            };
            assert_eq!(answer.status, right, "{method} {path:?}: {answer:?}");
            if right == 404 {
                answer.error();
            }
        }
        // what does not exist needs no deletion
        let deleted = ask(&api, "DELETE", &format!("/api/v1/clusters/x{odd}"), "").await;
        assert!(matches!(deleted.status.as_u16(), 204 | 404), "{deleted:?}");
    }
    for path in [
        "",
        "/",
        "//",
        "/\n",
        "/api/v1/clusters\n",
        "/api/v1/clusters/\n",
        "/api/v1/clusters?",
        "/ api/v1/clusters",
        "x",
    ] {
        let answer = ask(&api, "GET", path, "").await;
        assert_eq!(answer.status, 404, "{path:?}");
        answer.error();
    }
    assert!((api.everything_stored(), api.wakes.sent()) == before, "nothing changed");
    let answer = ask(&api, "POST", &format!("/api/v1/clusters/{name}\n/heartbeat"), "").await;
    assert_eq!(answer.status, 401, "a heartbeat needs the token of the cluster in its path");
    assert_eq!(api.heartbeat(&name, heartbeat()).await.status, 200);
}

#[tokio::test]
async fn a_link_on_the_apis_own_address_leads_to_the_proxy() {
    let api = Api::with(dashboards(elsewhere())).await;
    let name = api.running("alice").await;
    let route = api.report("alice", &name).await["dashboard_route"].as_str().unwrap().to_owned();
    let key = route.strip_prefix(&format!("/clusters/{name}/")).unwrap().strip_suffix("/status").unwrap();
    assert!(api.gateway.ring().verify(key, Use::Dashboard, &name));
    for tail in ["", "?theme=dark&x=%2F", "%2F..%0A%3Fx", "/../individual-plots.json"] {
        // nobody signs in
        let answer = api.get(&format!("{route}{tail}")).send().await;
        assert_eq!(answer.status, 307, "{answer:?}");
        assert_eq!(answer.headers["location"], format!("https://dash.example:8443/proxy{route}{tail}"));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.body.is_empty() && answer.session().is_none());
    }
    // the key is the proxy's to check; a name that is none leads nowhere
    assert_eq!(api.get(&format!("/clusters/{name}/wrong/status")).send().await.status, 307);
    for none in ["/clusters/", "/clusters/x/y/status", &format!("/clusters/{name}"), "/clusters/x%0Ay/status"] {
        let answer = api.get(none).send().await;
        assert_eq!(answer.status, 404, "{none}");
        answer.error();
    }
    assert_eq!(api.post(&route).send().await.status, 405);
}

#[tokio::test]
async fn through_the_front_door_no_line_break_gets_into_the_place() {
    let api = Api::with(dashboards(elsewhere())).await;
    let name = "0123456789abcdef0123456789abcdef";
    let answer = ask(&api, "GET", &format!("/clusters/{name}/k/status\r\nset-cookie: a=b\n?x é"), "a=%20").await;
    assert_eq!(answer.status, 307);
    assert_eq!(
        answer.headers["location"],
        format!(
            "https://dash.example:8443/proxy/clusters/{name}/k/status%0D%0Aset-cookie%3A%20a%3Db%0A%3Fx%20%C3%A9?a=%20"
        )
    );
    assert!(answer.session().is_none());
}

#[tokio::test]
async fn below_a_prefix_the_redirect_leads_to_what_the_proxy_serves() {
    let api = Api::with(Setup { prefix: "/services/dask-gateway".into(), ..dashboards(elsewhere()) }).await;
    let name = api.running("alice").await;
    let route = api.report("alice", &name).await["dashboard_route"].as_str().unwrap().to_owned();
    let answer = api.get(&route).send().await;
    assert_eq!(answer.headers["location"], format!("https://dash.example:8443/proxy{route}"));
}

#[tokio::test]
async fn without_a_proxy_there_is_no_link() {
    let api = Api::with(dashboards(Dashboards::Nowhere)).await;
    let name = api.running("alice").await;
    let report = api.report("alice", &name).await;
    assert_eq!((&report["status"], &report["dashboard_route"]), (&json!("RUNNING"), &Value::Null));
    let refused = api.get(&format!("/clusters/{name}/x/status")).basic("alice").send().await;
    assert_eq!(refused.status, 404);
    refused.error();
}
