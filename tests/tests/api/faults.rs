//! What the official server does badly at its API, one story each, with the right answer.

use faregate_api::Dashboards;
use faregate_core::model::{ClusterName, Limits};
use faregate_core::ports::Question;
use faregate_tests::api::{Answer, Api, Call, Setup, heartbeat, options};
use serde_json::{Value, json};

/// Refused with this status and a sentence with this word in it, and nothing stored, waked or asked.
async fn refused(api: &Api, call: Call, status: u16, word: &str) -> Answer {
    let before = (api.everything_stored(), api.wakes.sent());
    let answer = call.send().await;
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert!(answer.error().contains(word), "`{word}` is not in {:?}", answer.error());
    assert!((api.everything_stored(), api.wakes.sent()) == before, "something changed");
    assert_eq!(api.schedulers.take(), []);
    answer
}

#[tokio::test]
async fn malformed_authorization_is_401() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for header in [
        &b"Basic"[..],
        b"Basic ",
        b"",
        b" ",
        b"Basic %%%%",
        b"Basic YWxpY2U6eA", // no padding
        b"Basic YWxpY2U=",   // no colon
        b"Basic OmE=",       // no user
        b"Basic YQpiOng=",   // a newline in the name
        b"Basic YQBiOng=",   // a NUL in the name
        b"Basic \xff\xfe",
        b"\xe9\xe9\xe9",
        b"token",
        b"token ",
        b"token \xff",
        b"token a b",
        b"Negotiate",
        b"jupyterhub x",
    ] {
        let path = format!("/api/v1/clusters/{name}");
        for call in
            [api.get("/api/v1/clusters/"), api.get(&path), api.delete(&path), api.post(&format!("{path}/heartbeat"))]
        {
            let answer = refused(&api, call.header("authorization", header), 401, "sign in").await;
            assert!(answer.headers.contains_key("www-authenticate"), "{header:?}");
            assert!(answer.session().is_none());
        }
    }
}

#[tokio::test]
async fn schemes_are_known_in_any_case() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
        let answer = api.get("/api/v1/options").header("authorization", format!("{scheme} YWxpY2U6eA==")).send().await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    for scheme in ["token", "Token", "TOKEN"] {
        let call = api.post(&format!("/api/v1/clusters/{name}/heartbeat"));
        let answer =
            call.header("authorization", format!("{scheme} {}", api.token(&name))).json(&heartbeat()).send().await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn users_beyond_ascii_own_their_clusters() {
    let api = Api::with(Setup { dashboards: Some(Dashboards::Here { sign_in: true }), ..Setup::default() }).await;
    let name = api.running("andré müller").await;
    let answer = api.get("/api/v1/clusters/").basic("andré müller").send().await;
    assert_eq!(answer.json().as_object().unwrap().len(), 1);
    let cookie = answer.session().unwrap();
    assert_eq!(api.get(&format!("/api/v1/clusters/{name}")).cookie(&cookie).send().await.status, 200);
    assert_eq!(api.get(&format!("/clusters/{name}/status")).cookie(&cookie).send().await.status, 302);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_422() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    for body in [&b""[..], b" ", b"{", b"{\"a\"}", b"null", b"true", b"7", b"\"x\"", b"[]", b"[{}]", b"\xff\xfe"] {
        for path in ["", "/scale", "/adapt"] {
            let path =
                if path.is_empty() { "/api/v1/clusters/".into() } else { format!("/api/v1/clusters/{name}{path}") };
            refused(&api, api.post(&path).basic("alice").body(body), 422, "body").await;
        }
        let path = format!("/api/v1/clusters/{name}/heartbeat");
        refused(&api, api.post(&path).token(&api.token(&name)).body(body), 422, "body").await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_422_with_the_limit() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let large = format!("{{\"x\": \"{}\"}}", "x".repeat(1 << 20));
    for path in ["/api/v1/clusters/".to_owned(), format!("/api/v1/clusters/{name}/scale")] {
        refused(&api, api.post(&path).basic("alice").body(large.clone()), 422, "1048576 bytes").await;
    }
    let larger = vec![b' '; (16 << 20) + 1];
    let path = format!("/api/v1/clusters/{name}/heartbeat");
    refused(&api, api.post(&path).token(&api.token(&name)).body(larger), 422, "16777216 bytes").await;
}

#[tokio::test]
async fn options_that_are_no_object_are_422() {
    let api = Api::new().await;
    for options in [json!(null), json!("x"), json!(7), json!([]), json!(true)] {
        let call = api.post("/api/v1/clusters/").basic("alice").json(&json!({"cluster_options": options}));
        refused(&api, call, 422, "`cluster_options`").await;
    }
    let deep = format!("{{\"cluster_options\": {}{}}}", "{\"a\":".repeat(1000), "1".to_owned() + &"}".repeat(1000));
    refused(&api, api.post("/api/v1/clusters/").basic("alice").body(deep), 422, "").await;
}

#[tokio::test]
async fn a_wrong_option_is_422_and_names_its_field() {
    let api = Api::with(Setup { options: options(), ..Setup::default() }).await;
    let deep = |n| format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
    for (field, value) in [
        ("worker_cores", "true"),
        ("worker_cores", "null"),
        ("worker_cores", "2.0"),
        ("worker_cores", "5"),
        ("worker_cores", "1e400"),
        ("worker_memory", "2"),
        ("period", "NaN"),
        ("period", "-Infinity"),
        ("period", "\"3\""),
        ("period", "0.25"),
        ("debug", "1"),
        ("profile", "\"huge\""),
        ("environment", "[]"),
        ("environment", &deep(100)),
        ("unknown", "1"),
    ] {
        let body = format!("{{\"cluster_options\": {{\"{field}\": {value}}}}}");
        let word = if value == "1e400" { "body".to_owned() } else { format!("`{field}`") };
        refused(&api, api.post("/api/v1/clusters/").basic("alice").body(body), 422, &word).await;
    }
    let body = format!("{{\"cluster_options\": {{\"environment\": {}}}}}", deep(1000));
    refused(&api, api.post("/api/v1/clusters/").basic("alice").body(body), 422, "recursion limit").await;
}

#[tokio::test]
async fn names_that_are_no_names_are_404() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let upper = name.as_str().to_uppercase();
    for bad in ["a%0Ab", "a%00b", "%ff", "..%2F..", "%252e", &format!("{name}%0A"), &upper, &"a".repeat(5000)] {
        refused(&api, api.get(&format!("/api/v1/clusters/{bad}")).basic("alice"), 404, "cluster").await;
        let call = api.post(&format!("/api/v1/clusters/{bad}/scale")).basic("alice").json(&json!({"count": 1}));
        refused(&api, call, 404, "cluster").await;
        let call = api.post(&format!("/api/v1/clusters/{bad}/heartbeat")).token(&api.token(&name));
        refused(&api, call.json(&heartbeat()), 401, "sign in").await;
    }
}

#[tokio::test]
async fn scale_takes_integers_of_at_least_zero_only() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let path = format!("/api/v1/clusters/{name}/scale");
    for count in ["true", "false", "1e23", "1e2", "-1", "-0.0", "2.5", "2.0", "null", "\"2\"", "[2]", "{}"] {
        let call = api.post(&path).basic("alice").body(format!("{{\"count\": {count}}}"));
        refused(&api, call, 422, "`count`").await;
    }
    refused(&api, api.post(&path).basic("alice").body("{}"), 422, "`count`").await;
    refused(&api, api.post(&path).basic("alice").body("{\"count\": NaN}"), 422, "body").await;
    assert_eq!(api.post(&path).basic("alice").body("{\"count\": 0}").send().await.status, 200);
    assert_eq!(api.schedulers.take(), [Question::Scale { count: 0 }]);
}

#[tokio::test]
async fn adapt_takes_bounds_in_order_only() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let path = format!("/api/v1/clusters/{name}/adapt");
    for (body, field) in [
        (json!({"minimum": 3, "maximum": 2}), "`minimum`"),
        (json!({"minimum": -1, "maximum": 2}), "`minimum`"),
        (json!({"minimum": 0, "maximum": -2}), "`maximum`"),
        (json!({"minimum": "0", "maximum": 2}), "`minimum`"),
        (json!({"minimum": [0], "maximum": 2}), "`minimum`"),
        (json!({"minimum": 0.5, "maximum": 2}), "`minimum`"),
        (json!({"minimum": true, "maximum": 2}), "`minimum`"),
        (json!({"maximum": 2, "active": "yes"}), "`active`"),
        (json!({"maximum": 2, "active": 0}), "`active`"),
    ] {
        refused(&api, api.post(&path).basic("alice").json(&body), 422, field).await;
    }
}

#[tokio::test]
async fn a_heartbeat_that_lacks_or_garbles_a_field_is_422_and_names_it() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let path = format!("/api/v1/clusters/{name}/heartbeat");
    let send = |body: &Value| api.post(&path).token(&api.token(&name)).json(body);
    for field in heartbeat().as_object().unwrap().keys() {
        let mut body = heartbeat();
        body.as_object_mut().unwrap().remove(field);
        refused(&api, send(&body), 422, &format!("`{field}`")).await;
        for wrong in [json!(null), json!(-5), json!(true), json!({"a": 1}), json!(2.5), json!("garbage"), json!([[1]])]
        {
            body[field] = wrong;
            refused(&api, send(&body), 422, &format!("`{field}`")).await;
        }
    }
    for (field, wrong) in [
        ("scheduler_address", "tcp://127.0.0.1:40001"),
        ("scheduler_address", "tls://localhost:40001"),
        ("dashboard_address", "file:///"),
        ("dashboard_address", "http://127.0.0.1:40002/redirect"),
        ("api_address", "http://127.0.0.1"),
        ("api_address", "http://user:x@127.0.0.1:1"),
    ] {
        let mut body = heartbeat();
        body[field] = json!(wrong);
        refused(&api, send(&body), 422, &format!("`{field}`")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_80_creates_by_one_user_the_limit_lets_three_through() {
    let api = Api::new().await;
    api.limit("default", Limits { clusters: Some(3), ..Limits::default() }).await;
    let create = || api.post("/api/v1/clusters/").basic("alice").json(&json!({"cluster_options": {}})).send();
    let mut tasks = Vec::new();
    for _ in 0..80 {
        let call = create();
        tasks.push(tokio::spawn(call));
    }
    let mut created = Vec::<ClusterName>::new();
    for task in tasks {
        let answer = task.await.unwrap();
        if answer.status == 201 {
            created.push(answer.json()["name"].as_str().unwrap().parse().unwrap());
        } else {
            assert_eq!(answer.status, 422, "{answer:?}");
            assert!(answer.error().contains("`clusters` = 3"), "{}", answer.error());
        }
    }
    assert_eq!(created.len(), 3);
    // room is made by an end, and only by that
    api.delete(&format!("/api/v1/clusters/{}", created[0])).basic("alice").send().await;
    assert_eq!(create().await.status, 422, "a stopping cluster still counts");
    for _ in 0..10 {
        api.host.pass(60_000);
        api.turn(&created[0]).await;
    }
    assert_eq!(create().await.status, 201);
    assert_eq!(create().await.status, 422);
}
