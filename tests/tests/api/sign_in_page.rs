//! How browsers sign in: a page with a form, which nobody else can use.

use faregate_api::Dashboards;
use faregate_headers::FORM_POLICY;
use faregate_tests::api::{Answer, Api, Call, Setup};
use http::header;
use serde_json::json;

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn api() -> Api {
    let dashboards = Some(Dashboards::Elsewhere { url: "https://dash.example".into(), sign_in: true });
    Api::with(Setup { prefix: "/gw".into(), password: Some("x".into()), dashboards, ..Setup::default() }).await
}

/// As a browser sends the form of the page.
fn form(api: &Api, body: &str) -> Call {
    foreign_form(api, body)
        .header("origin", "https://gateway.example:8000")
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
}

fn foreign_form(api: &Api, body: &str) -> Call {
    api.post("/sign-in").header("content-type", "application/x-www-form-urlencoded").body(body)
}

fn page(answer: &Answer) -> String {
    let header = |name| answer.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    assert_eq!(answer.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect::<Vec<_>>(), [&FORM_POLICY]);
    assert_eq!(header("x-frame-options"), Some("DENY"));
    assert_eq!(header("referrer-policy"), Some("same-origin"), "else the form comes from nowhere");
    assert_eq!(header("cache-control"), Some("no-store"));
    String::from_utf8(answer.body.clone()).unwrap()
}

#[tokio::test]
async fn a_browser_gets_a_form_where_a_program_gets_a_challenge() {
    let api = api().await;
    let path = "/api/v1/clusters/?status=running&x=%22%3E<";
    for path in ["/api/v1/clusters/?status=running", "/clusters/0123456789abcdef0123456789abcdef/status"] {
        let answer = api.get(path).header("accept", HTML).send().await;
        assert_eq!((answer.status.as_u16(), answer.headers.get("www-authenticate")), (401, None), "{path}");
        assert!(
            page(&answer).contains(&format!("name=\"next\" value=\"/gw{}\"", path.replace('&', "&amp;"))),
            "{answer:?}"
        );
        let answer = api.get(path).header("accept", "*/*").send().await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"faregate\"");
        answer.error();
    }
    let odd = api.get(&path.replace('<', "'")).header("accept", HTML).send().await;
    assert!(page(&odd).contains("x=%22%3E&#39;\""), "{odd:?}");
    api.post("/api/v1/clusters/").header("accept", HTML).json(&json!({})).send().await.error();
}

#[tokio::test]
async fn a_password_or_a_token_becomes_a_session() {
    let api = api().await;
    let cluster = api.running("alice").await;
    let next = format!("/gw/clusters/{cluster}/status?a=1&b=2");
    let escaped = next.replace('&', "%26").replace('?', "%3F");
    let token = api
        .post("/api/v1/tokens")
        .basic("alice")
        .json(&json!({"name": "ci", "scopes": ["read", "connect"]}))
        .send()
        .await;
    let token = token.json()["token"].as_str().unwrap().to_owned();
    for credentials in
        ["user=alice&password=x".to_owned(), format!("user=&password={token}"), format!("user=+&password=+{token}%0A")]
    {
        let answer = form(&api, &format!("{credentials}&next={escaped}")).send().await;
        assert_eq!(answer.status, 200, "{credentials} {answer:?}");
        let shown = page(&answer);
        assert!(shown.contains(&format!("content=\"0; url={}\"", next.replace('&', "&amp;"))), "{shown}");
        let session = answer.session().unwrap();
        let listed = api.get("/api/v1/clusters/").cookie(&session).header("accept", HTML).send().await;
        assert!(listed.json().to_string().contains(cluster.as_str()));
    }
}

#[tokio::test]
async fn what_another_page_sends_signs_nobody_in() {
    let api = api().await;
    let body = "user=alice&password=x&next=/gw/api/v1/clusters/";
    let own = ("origin", "http://gateway.example:8000");
    for headers in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[own, ("sec-fetch-site", "same-site")],
        &[own, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        &[own, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
    ] {
        let call = headers.iter().fold(foreign_form(&api, body), |call, (name, value)| call.header(name, value));
        let answer = call.send().await;
        assert_eq!((answer.status.as_u16(), answer.session()), (403, None), "{headers:?}");
        assert_eq!(answer.error(), "only the gateway's own page signs its visitors in");
    }
    let answer = foreign_form(&api, body).header(own.0, own.1).send().await;
    assert_eq!(answer.status, 200, "a browser that tells no more than the origin");
}

#[tokio::test]
async fn it_leads_nowhere_else() {
    let api = api().await;
    for next in [
        "https://evil.example/",
        "//evil.example/gw/",
        "/gw//evil.example/",
        "/other/",
        "/gw/%252e%252e/../x",
        "javascript:alert(1)",
        "",
    ] {
        let answer = form(&api, &format!("user=alice&password=x&next={next}")).send().await;
        assert_eq!(answer.status, 200, "{next}");
        let shown = page(&answer);
        assert!(
            shown.contains("Open <code>/gw/api/v1/clusters/</code> again") && !shown.contains("http-equiv"),
            "{next}: {shown}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_counted_as_any_and_said() {
    let api = api().await;
    let wrong = async || form(&api, "user=bob&password=wrong&next=%2Fgw%2Fx%22").send().await;
    let answer = wrong().await;
    assert_eq!((answer.status.as_u16(), answer.session(), answer.headers.get("www-authenticate")), (401, None, None));
    let shown = page(&answer);
    assert!(shown.contains("<p role=\"alert\">sign in: the credentials are missing or wrong</p>"), "{shown}");
    assert!(shown.contains("value=\"/gw/x&quot;\""), "{shown}");
    let mut last = answer;
    for _ in 0..100 {
        last = wrong().await;
        if last.status == 429 {
            break;
        }
    }
    assert_eq!(last.status, 429);
    assert!(last.headers.contains_key("retry-after") && page(&last).contains("role=\"alert\""), "{last:?}");
    for odd in ["more=1", "\u{ff}", "user=%FF"] {
        assert_ne!(form(&api, odd).send().await.status, 200, "{odd}");
    }
}
