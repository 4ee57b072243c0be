//! Signing in: Basic, the session cookie, and sign-in to dashboards.

use faregate_api::Dashboards;
use faregate_keys::{DASHBOARD_SESSION_MS, Ticket, Use};
use faregate_tests::api::{Api, Setup};
use serde_json::json;

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn after_one_401_a_session_pays_no_second_round_trip() {
    let api = Api::new().await;
    let first = api.get("/api/v1/clusters/").send().await;
    assert_eq!(first.status, 401);
    first.error();
    assert_eq!(first.headers["www-authenticate"], "Basic realm=\"faregate\"");
    assert_eq!(first.session(), None);

    let mut cookie = api.get("/api/v1/clusters/").basic("alice").send().await.session().unwrap();
    let created = api.post("/api/v1/clusters/").cookie(&cookie).json(&json!({})).send().await;
    assert_eq!(created.status, 201);
    assert_eq!(created.session(), None, "a fresh cookie is not set again");
    // all day long; then the credentials are asked for again
    let began = api.gateway.now();
    loop {
        api.host.pass(HOUR / 3);
        let answer = api.get("/api/v1/clusters/").cookie(&cookie).send().await;
        if answer.status == 401 {
            break;
        }
        assert_eq!((answer.status.as_u16(), answer.json().as_object().unwrap().len()), (200, 1));
        cookie = answer.session().unwrap_or(cookie);
    }
    assert_eq!(api.gateway.now() - began, 24 * HOUR);
}

#[tokio::test]
async fn a_stale_cookie_beside_good_credentials_counts_as_absent() {
    let api = Api::new().await;
    let cookie = api.get("/api/v1/options").basic("alice").send().await.session().unwrap();
    api.host.pass(HOUR);
    assert_eq!(api.get("/api/v1/options").cookie(&cookie).send().await.status, 401);
    for bad in [cookie.as_str(), "garbage", "a.b.c", ""] {
        let answer = api.get("/api/v1/options").cookie(bad).basic("alice").send().await;
        assert_eq!(answer.status, 200);
        let renewed = answer.session().unwrap();
        assert_eq!(api.get("/api/v1/options").cookie(&renewed).send().await.status, 200);
    }
}

#[tokio::test]
async fn credentials_that_are_shown_decide_over_the_cookie() {
    let api = Api::with(Setup { password: Some("secret".into()), ..Setup::default() }).await;
    let alice = api.get("/api/v1/options").credentials("alice:secret").send().await.session().unwrap();
    let name = api.post("/api/v1/clusters/").cookie(&alice).json(&json!({})).send().await.json()["name"].clone();
    let path = format!("/api/v1/clusters/{}", name.as_str().unwrap());
    assert_eq!(api.get(&path).cookie(&alice).send().await.status, 200);
    assert_eq!(api.get(&path).cookie(&alice).credentials("bob:secret").send().await.status, 403);
    assert_eq!(api.get(&path).cookie(&alice).credentials("bob:wrong").send().await.status, 401);
    // a scheme that means nothing here is somebody else's business
    assert_eq!(api.get(&path).cookie(&alice).header("authorization", "Bearer x").send().await.status, 200);
}

#[tokio::test]
async fn the_cookie_is_set_on_refusals_of_the_signed_in_too() {
    let api = Api::new().await;
    let refused = api.post("/api/v1/clusters/").basic("alice").body("garbage").send().await;
    assert_eq!(refused.status, 422);
    let cookie = refused.session().unwrap();
    assert_eq!(api.get("/api/v1/options").cookie(&cookie).send().await.status, 200);
}

#[tokio::test]
async fn the_cookie_is_secure_exactly_where_the_outside_is_https() {
    let api = Api::new().await;
    for (proto, secure) in [(None, false), (Some("http"), false), (Some("https"), true), (Some("HTTPS, http"), true)] {
        let mut call = api.get("/api/v1/options").basic("alice");
        if let Some(proto) = proto {
            call = call.header("x-forwarded-proto", proto);
        }
        let name = if secure { "__Host-faregate-session" } else { "faregate-session" };
        let line = call.send().await.set_cookies(name).remove(0);
        let (value, attributes) = line.split_once("; ").unwrap();
        let expected = if secure { "Path=/; HttpOnly; SameSite=Lax; Secure" } else { "Path=/; HttpOnly; SameSite=Lax" };
        assert_eq!(attributes, expected);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.=".contains(&b);
        assert!(value.bytes().all(plain), "others come back quoted: {value}");
    }
}

#[tokio::test]
async fn a_session_is_for_the_prefix_and_for_the_scheme_that_it_began_with() {
    let api = Api::with(signed_in_dashboards("/services/dask-gateway")).await;
    let answer = api.get("/api/v1/options").basic("alice").header("x-forwarded-proto", "https").send().await;
    let line = answer.set_cookies("__Secure-faregate-session").remove(0);
    assert!(line.ends_with("; Path=/services/dask-gateway; HttpOnly; SameSite=Lax; Secure"), "{line}");
    let value = line.split("; ").next().unwrap().split_once('=').unwrap().1.to_owned();
    for (name, proto, status) in [
        ("__Secure-faregate-session", "https", 200),
        ("faregate-session", "https", 401),
        ("__Host-faregate-session", "https", 401),
        ("__Secure-faregate-session", "http", 401),
    ] {
        let cookie = format!("{name}={value}");
        let call = api.get("/api/v1/options").header("cookie", &cookie).header("x-forwarded-proto", proto);
        assert_eq!(call.send().await.status, status, "{name} over {proto}");
    }
}

#[tokio::test]
async fn every_answer_is_kept_from_pages() {
    let api = Api::with(signed_in_dashboards("")).await;
    let name = api.running("alice").await;
    let status = format!("/clusters/{name}/status");
    for (call, expected) in [
        (api.get("/api/health"), 200),
        (api.get("/api/v1/clusters/"), 401),
        (api.get("/api/v1/clusters/").basic("alice"), 200),
        (api.get("/nothing"), 404),
        (api.post("/api/version"), 405),
        (api.post("/api/v1/clusters/").basic("alice").body("garbage"), 422),
        (api.get(&status), 401),
        (api.get(&status).basic("alice"), 302),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, expected);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'; sandbox"), "{expected}: {policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin");
    }
}

#[tokio::test]
async fn a_session_holds_on_another_replica_with_the_same_keys() {
    let (one, two) = (Api::new().await, Api::new().await);
    let cookie = one.get("/api/v1/options").basic("alice").send().await.session().unwrap();
    assert_eq!(two.get("/api/v1/options").cookie(&cookie).send().await.status, 200);
}

#[tokio::test]
async fn a_cookie_does_not_serve_a_page_of_another_site() {
    let api = Api::new().await;
    let cookie = api.get("/api/v1/options").basic("alice").send().await.session().unwrap();
    let name = api.running("alice").await;
    let before = api.everything_stored();
    for origin in ["https://evil.example", "null", "http://gateway.example", "http://gateway.example:8000.evil.example"]
    {
        for call in [
            api.post("/api/v1/clusters/").json(&json!({})),
            api.post(&format!("/api/v1/clusters/{name}/scale")).json(&json!({"count": 1})),
            api.delete(&format!("/api/v1/clusters/{name}")),
        ] {
            let refused = call.cookie(&cookie).header("origin", origin).send().await;
            assert_eq!(refused.status, 403, "{origin}");
            refused.error();
        }
        let read = api.get("/api/v1/clusters/").cookie(&cookie).header("origin", origin).send().await;
        assert_eq!(read.status, 200);
    }
    assert_eq!(api.everything_stored(), before);
    for origin in ["http://gateway.example:8000", "https://Gateway.example:8000"] {
        let call = api.post("/api/v1/clusters/").cookie(&cookie).header("origin", origin);
        assert_eq!(call.json(&json!({})).send().await.status, 201, "{origin}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_401_and_says_nothing_more_than_a_missing_one() {
    let api = Api::with(Setup { password: Some("secret".into()), ..Setup::default() }).await;
    let wrong = api.get("/api/v1/options").credentials("alice:wrong").send().await;
    let missing = api.get("/api/v1/options").send().await;
    assert_eq!((wrong.status.as_u16(), missing.status.as_u16()), (401, 401));
    assert_eq!(wrong.error(), missing.error());
    assert!(wrong.headers.contains_key("www-authenticate"));
    assert_eq!(api.get("/api/v1/options").credentials("alice:secret").send().await.status, 200);
}

#[tokio::test]
async fn a_clusters_token_opens_nothing_but_its_heartbeat_and_its_end() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let token = api.token(&name);
    for call in [
        api.get("/api/v1/options"),
        api.get("/api/v1/clusters/"),
        api.post("/api/v1/clusters/"),
        api.get(&format!("/api/v1/clusters/{name}")),
        api.post(&format!("/api/v1/clusters/{name}/scale")),
        api.post(&format!("/api/v1/clusters/{name}/adapt")),
    ] {
        assert_eq!(call.token(&token).json(&json!({"count": 1})).send().await.status, 401);
    }
}

fn signed_in_dashboards(prefix: &str) -> Setup {
    Setup { prefix: prefix.into(), dashboards: Some(Dashboards::Here { sign_in: true }), ..Setup::default() }
}

#[tokio::test]
async fn signing_in_to_a_dashboard_sets_its_cookie_and_leads_back() {
    for prefix in ["", "/services/dask-gateway"] {
        let api = Api::with(signed_in_dashboards(prefix)).await;
        let name = api.running("alice").await;
        let route = api.report("alice", &name).await["dashboard_route"].as_str().unwrap().to_owned();
        assert_eq!(route, format!("/clusters/{name}/status"));
        for path in ["status", "info/main/workers.html", "a%2Fb?x=1&y=%20"] {
            let path = format!("/clusters/{name}/{path}");
            let answer = api.get(&path).basic("alice").header("x-forwarded-proto", "https").send().await;
            assert_eq!(answer.status, 302);
            assert_eq!(answer.headers["location"], format!("{prefix}{path}"));
            let line = answer.set_cookies("__Secure-faregate-dashboard").remove(0);
            let (value, attributes) = line.split_once("; ").unwrap();
            assert_eq!(attributes, format!("Path={prefix}/clusters/{name}/; HttpOnly; SameSite=Lax; Secure"));
            let pass = value.strip_prefix("__Secure-faregate-dashboard=").unwrap();
            let open = |name, now| Ticket::open(pass, api.gateway.ring(), Use::DashboardSession, name, now);
            let now = api.gateway.now();
            assert_eq!(open(&name, now).unwrap().expires_at, now + DASHBOARD_SESSION_MS, "not for ever");
            assert_eq!(open(&"0".repeat(32).parse().unwrap(), now), None);
            let session = if prefix.is_empty() { "__Host-faregate-session" } else { "__Secure-faregate-session" };
            assert_eq!(answer.set_cookies(session).len(), 1, "the next dashboard asks for no password");
        }
    }
}

#[tokio::test]
async fn a_dashboard_opens_to_its_owner_alone() {
    let api = Api::with(signed_in_dashboards("")).await;
    let name = api.running("alice").await;
    let path = format!("/clusters/{name}/status");
    let nobody = api.get(&path).send().await;
    assert_eq!(nobody.status, 401);
    assert!(nobody.headers.contains_key("www-authenticate"));
    assert_eq!(api.get(&path).basic("bob").send().await.status, 403);
    assert_eq!(api.get(&path).token(&api.token(&name)).send().await.status, 401);
    for none in [format!("/clusters/{}/status", "0".repeat(32)), "/clusters/x%0Ay/status".into()] {
        let missing = api.get(&none).basic("alice").send().await;
        assert_eq!(missing.status, 404);
        assert!(missing.set_cookies("faregate-dashboard").is_empty());
    }
    let pending = api.create("alice").await;
    let missing = api.get(&format!("/clusters/{pending}/status")).basic("alice").send().await;
    assert_eq!(missing.status, 404);
    assert!(missing.error().contains("no dashboard"));
}
