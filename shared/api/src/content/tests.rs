use super::*;
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "scheduler_address": "tls://127.0.0.1:40001",
        "dashboard_address": "http://127.0.0.1:40002",
        "api_address": "http://[::1]:40003",
        "count": 2,
        "active_workers": ["w-b", "w-a", 7, -7],
        "closing_workers": [],
        "closed_workers": ["w-a"],
    })
}

fn of(body: &Value) -> Result<(Content, String), String> {
    parse(body.to_string().as_bytes()).map_err(|invalid| invalid.to_string())
}

fn with(field: &str, value: Value) -> Value {
    let mut body = good();
    body[field] = value;
    body
}

#[test]
fn a_good_heartbeat_is_read() {
    let (content, digest) = of(&good()).unwrap();
    assert_eq!(content.scheduler, Some("127.0.0.1:40001".parse().unwrap()));
    assert_eq!(content.dashboard, Some("127.0.0.1:40002".parse().unwrap()));
    assert_eq!(content.api, Some("[::1]:40003".parse().unwrap()));
    assert_eq!(content.count, 2);
    assert_eq!(content.active.into_iter().collect::<Vec<_>>(), ["-7", "7", "w-a", "w-b"]);
    assert!(content.closing.is_empty());
    assert_eq!(digest.len(), 64);
    assert!(of(&with("dashboard_address", json!(""))).unwrap().0.dashboard.is_none());
    assert!(of(&with("later_field", json!({"deep": [1, {}]}))).is_ok());
    assert_eq!(of(&with("count", json!(u64::MAX))).unwrap().0.count, MOST_WORKERS);
}

#[test]
fn order_and_spacing_do_not_change_the_digest_and_content_does() {
    let (_, digest) = of(&good()).unwrap();
    let reordered = br#" { "closed_workers":["w-a"],"closing_workers" : [], "count":2,
        "active_workers":["w-a",-7,"7","w-b","w-b"], "api_address":"http://[::1]:40003",
        "dashboard_address":"http://127.0.0.1:40002","scheduler_address":"tls://127.0.0.1:40001"}"#;
    assert_eq!(parse(reordered).unwrap().1, digest);
    for (field, value) in [
        ("scheduler_address", json!("tls://127.0.0.1:40009")),
        ("dashboard_address", json!("")),
        ("api_address", json!("http://127.0.0.1:40003")),
        ("count", json!(3)),
        ("active_workers", json!(["w-a"])),
        ("active_workers", json!(["w-bw-a", 7, -7])),
        ("closing_workers", json!(["w-a"])),
        ("closed_workers", json!([])),
    ] {
        assert_ne!(of(&with(field, value)).unwrap().1, digest, "{field}");
    }
}

#[test]
fn a_missing_field_is_named() {
    for field in good().as_object().unwrap().keys() {
        let mut body = good();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(of(&body).unwrap_err(), format!("`{field}` is missing"));
    }
}

#[test]
fn a_wrong_value_is_named() {
    for (field, value) in [
        ("scheduler_address", json!("garbage")),
        ("scheduler_address", json!("tcp://127.0.0.1:1")),
        ("scheduler_address", json!("tls://localhost:1")),
        ("scheduler_address", json!("tls://127.0.0.1:0")),
        ("scheduler_address", json!("tls://127.0.0.1:1/x")),
        ("scheduler_address", json!("tls://user@127.0.0.1:1")),
        ("scheduler_address", json!("")),
        ("scheduler_address", json!(null)),
        ("dashboard_address", json!("file:///")),
        ("dashboard_address", json!("https://127.0.0.1:1")),
        ("dashboard_address", json!(null)),
        ("api_address", json!("")),
        ("api_address", json!("http://169.254.169.254")),
        ("count", json!(-5)),
        ("count", json!(true)),
        ("count", json!(2.5)),
        ("count", json!("2")),
        ("active_workers", json!("w")),
        ("active_workers", json!({"w": 1})),
        ("active_workers", json!([true])),
        ("closing_workers", json!([null])),
        ("closed_workers", json!([2.5])),
        ("closed_workers", json!(["x".repeat(129)])),
    ] {
        let error = of(&with(field, value.clone())).unwrap_err();
        assert!(error.starts_with(&format!("`{field}` ")), "{field}: {value}: {error}");
        assert!(!error.contains(" at line "), "{error}");
    }
    let error = of(&with("count", json!(-5))).unwrap_err();
    assert_eq!(error, "`count` is integer `-5`, expected an integer of at least 0");
    let error = of(&with("api_address", json!("x"))).unwrap_err();
    assert_eq!(error, "`api_address` is string \"x\", expected `http://<IP address>:<port>`");
}

#[test]
fn what_is_no_object_is_refused() {
    for body in ["", "{", "null", "[]", "7", "{} {}", "{\"count\": \u{1}}", "\"x\"", &"[".repeat(1000)] {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(parse(b"[]").unwrap_err().to_string(), "`body` is sequence, expected a JSON object");
    assert!(parse(b"\xff").is_err());
}

#[test]
fn the_number_of_names_is_bounded() {
    let names: Vec<u64> = (0..300_000).collect();
    let mut body = with("active_workers", json!(names));
    assert!(of(&body).is_ok());
    body["closed_workers"] = json!(names);
    assert!(of(&body).unwrap_err().contains("holds too many names: 500000 are the most"));
}
