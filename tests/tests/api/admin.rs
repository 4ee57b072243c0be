//! What admins may do through the API, and nobody else.

use faregate_core::model::{ClusterName, Policy, Prices, Rates};
use faregate_tests::api::{Answer, Api, Setup};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;

/// Every call there is: method, path, body.
fn calls(name: &ClusterName) -> Vec<(&'static str, String, Value)> {
    vec![
        ("GET", "clusters".into(), Value::Null),
        ("DELETE", format!("clusters/{name}"), json!({"why": "x"})),
        ("DELETE", "users/alice/clusters".into(), json!({"why": "x"})),
        ("GET", "limits".into(), Value::Null),
        ("PATCH", "limits/user:alice".into(), json!({"set": {"clusters": 0}})),
        ("POST", "freeze".into(), json!({"scope": "user:alice", "why": "x"})),
        ("POST", "unfreeze".into(), json!({"scope": "user:alice"})),
        ("GET", "usage".into(), Value::Null),
        ("GET", "explain/user:alice".into(), Value::Null),
        ("GET", "audit".into(), Value::Null),
        ("GET", "accounts".into(), Value::Null),
        ("GET", "tokens".into(), Value::Null),
        ("POST", "tokens".into(), json!({"user": "alice", "name": "x", "scopes": ["read"]})),
        ("DELETE", "tokens/0123456789abcdef".into(), json!({"why": "x"})),
    ]
}

async fn ask(api: &Api, user: &str, method: &str, path: &str, body: &Value) -> Answer {
    let call = api.call(method, &format!("/api/v1/admin/{path}")).basic(user);
    if body.is_null() { call.send().await } else { call.json(body).send().await }
}

async fn root(api: &Api, method: &str, path: &str, body: Value) -> Value {
    let answer = ask(api, "root", method, path, &body).await;
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    answer.json()
}

async fn refused(api: &Api, method: &str, path: &str, body: Value) -> (u16, String) {
    let answer = ask(api, "root", method, path, &body).await;
    (answer.status.as_u16(), answer.error())
}

/// Who, what, to whom and why, in order.
async fn audited(api: &Api) -> Vec<String> {
    let audit = root(api, "GET", "audit", Value::Null).await;
    let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or("-").to_owned();
    let line = |entry: &Value| ["who", "action", "target", "why"].map(|key| word(entry, key)).join(" ");
    audit["audit"].as_array().unwrap().iter().map(line).collect()
}

fn names(clusters: &Value) -> Vec<&str> {
    clusters["clusters"].as_array().unwrap().iter().map(|cluster| cluster["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn nobody_else_may_do_any_of_it_and_nothing_of_it_is_done() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    let before = api.everything_stored();
    for (method, path, body) in calls(&name) {
        for slash in ["", "/"] {
            let answer = ask(&api, "alice", method, &format!("{path}{slash}"), &body).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (403, "this is for administrators only"));
        }
        assert_eq!(api.call(method, &format!("/api/v1/admin/{path}")).send().await.status, 401);
        let by_token = api.call(method, &format!("/api/v1/admin/{path}")).token(&api.token(&name)).send().await;
        assert!([401, 403].contains(&by_token.status.as_u16()), "{method} {path}: {by_token:?}");
    }
    assert_eq!(api.everything_stored(), before);
}

#[tokio::test]
async fn admins_see_everyones_clusters_and_filter_them() {
    let api = Api::new().await;
    let (alice, bob) = (api.running("alice").await, api.create("bob").await);
    let all = root(&api, "GET", "clusters", Value::Null).await;
    assert_eq!(names(&all), [alice.as_str(), bob.as_str()]);
    let first = &all["clusters"][0];
    assert_eq!((&first["user"], &first["status"]), (&json!("alice"), &json!("RUNNING")));
    assert_eq!(names(&root(&api, "GET", "clusters?status=pending", Value::Null).await), [bob.as_str()]);
    assert_eq!(names(&root(&api, "GET", "clusters?user=alice", Value::Null).await), [alice.as_str()]);
    assert_eq!(names(&root(&api, "GET", "clusters?group=none", Value::Null).await), [""; 0]);

    // ended ones too, of one user at a time
    api.delete(&format!("/api/v1/clusters/{bob}")).basic("bob").send().await;
    api.turn(&bob).await;
    let ended = root(&api, "GET", "clusters?user=bob&status=stopped,stopping", Value::Null).await;
    assert_eq!(names(&ended), [bob.as_str()]);
    assert_eq!(ended["clusters"][0]["reason"]["code"], "user-stopped");
    assert_eq!(
        refused(&api, "GET", "clusters?status=stopped", Value::Null).await,
        (422, "ended clusters are listed for one user at a time: name a `user`".into())
    );
    assert_eq!(refused(&api, "GET", "clusters?status=gone", Value::Null).await.0, 422);
    assert_eq!(
        refused(&api, "GET", "clusters?usr=bob", Value::Null).await,
        (422, "`usr` means nothing in this query: there is `user`, `group`, `status`".into())
    );
}

#[tokio::test]
async fn an_admin_stops_one_cluster_and_its_user_reads_why() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let why = json!({"why": "maintenance at noon"});
    let stopped = root(&api, "DELETE", &format!("clusters/{name}"), why.clone()).await;
    assert_eq!(stopped, json!({"stopped": [name]}));
    let cluster = root(&api, "GET", "clusters?user=alice&status=stopping", Value::Null).await["clusters"][0].clone();
    assert_eq!(cluster["reason"]["code"], "admin-stopped");
    assert_eq!(cluster["reason"]["message"], "stopped by an administrator: maintenance at noon");
    // again: it is on its way already, and nothing is done
    assert_eq!(root(&api, "DELETE", &format!("clusters/{name}"), why).await, json!({"stopped": []}));
    let other: ClusterName = "0".repeat(32).parse().unwrap();
    let (status, error) = refused(&api, "DELETE", &format!("clusters/{other}"), Value::Null).await;
    assert_eq!((status, error), (404, format!("Cluster '{other}' not found")));
    assert_eq!(audited(&api).await, [format!("root stop-cluster {name} maintenance at noon")]);
}

#[tokio::test]
async fn an_admin_stops_all_of_a_users_clusters_and_nobody_elses() {
    let api = Api::new().await;
    let user = "a/b ü%41";
    let mut own = Vec::new();
    for n in 0..3 {
        api.host.pass(n);
        own.push(api.create(user).await.to_string());
    }
    let bob = api.create("bob").await;
    for path in ["users/a%2Fb%20%C3%BC%2541/clusters?why=enough", "users/a/b%20%C3%BC%2541/clusters/"] {
        let mut stopped = root(&api, "DELETE", path, Value::Null).await["stopped"].clone();
        stopped.as_array_mut().unwrap().sort_by_key(|name| name.as_str().map(str::to_owned));
        assert_eq!(stopped, json!(own));
        own.clear();
    }
    let all = root(&api, "GET", "clusters?status=pending", Value::Null).await;
    assert_eq!(names(&all), [bob.as_str()]);
    let target = format!("user:{user}");
    assert_eq!(
        audited(&api).await,
        [format!("root stop-clusters {target} enough"), format!("root stop-clusters {target} -")]
    );
    assert_eq!(refused(&api, "DELETE", "users/bob", Value::Null).await.0, 404);
}

#[tokio::test]
async fn limits_are_set_taken_away_and_listed() {
    let api = Api::new().await;
    let set = json!({"set": {"clusters": 1, "memory": "64 G"}, "why": "a small course"});
    let changed = root(&api, "PATCH", "limits/user%3Aalice", set).await;
    assert_eq!(changed, json!({"scope": "user:alice", "limits": {"clusters": 1, "memory": 64u64 << 30}}));
    let list = root(&api, "GET", "limits", Value::Null).await;
    assert_eq!(list["limits"]["user:alice"], changed["limits"]);

    api.host.pass(api.gateway.policy().limits_cache_ms + 1);
    api.create("alice").await;
    let full = api.post("/api/v1/clusters/").basic("alice").json(&json!({})).send().await;
    assert_eq!(full.status, 422);
    assert!(full.error().contains("`clusters` = 1 of user:alice"), "{full:?}");

    let changed = root(&api, "PATCH", "limits/user:alice", json!({"set": {"workers": 3}, "unset": ["clusters"]})).await;
    assert_eq!(changed["limits"], json!({"memory": 64u64 << 30, "workers": 3}));
    let changed = root(&api, "PATCH", "limits/user:alice", json!({"unset": ["workers", "memory"]})).await;
    assert_eq!(changed["limits"], json!({}));
    assert_eq!(root(&api, "GET", "limits", Value::Null).await, json!({"limits": {}, "broken": {}}));
    assert_eq!(
        audited(&api).await,
        ["root set-limits user:alice a small course", "root set-limits user:alice -", "root set-limits user:alice -"]
    );
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused_and_nothing_is_written() {
    let api = Api::new().await;
    let before = api.everything_stored();
    for (path, body, says) in [
        ("user:alice", json!({"set": {"clusters": -1}}), "`clusters` must be 0 or more, not -1"),
        ("user:alice", json!({"set": {"clusters": "two"}}), "`clusters` cannot be \"two\": "),
        (
            "user:alice",
            json!({"set": {"workers": 1, "clustres": 1}}),
            "`clustres` is no limit; did you mean `clusters`?",
        ),
        ("user:alice", json!({"set": {"memory": "64 X"}}), "`memory` cannot be \"64 X\": `64 X` is no size"),
        ("user:alice", json!({"unset": ["clustres"]}), "`clustres` is no limit; did you mean `clusters`?"),
        ("user:alice", json!({"unset": "clusters"}), "`unset` must be a list of fields' names, not a string"),
        ("user:alice", json!({"unset": [1]}), "`unset` must be a list of fields' names, not a number"),
        ("user:alice", json!({"set": []}), "`set` must be an object of fields, not a list"),
        ("user:alice", json!({"clusters": 2}), "`clusters` means nothing in this body"),
        ("user:alice", json!({"set": {"clusters": 2}, "why": " "}), "`why` must be a sentence of 1 to 500 characters"),
        ("user:alice", json!({"set": {"clusters": 2}, "why": 7}), "`why` must be a string, not a number"),
        ("user:alice", json!({}), "nothing is to be changed"),
        ("alice", json!({"set": {"clusters": 2}}), "`alice` is neither `default` nor"),
        ("user:", json!({"set": {"clusters": 2}}), "`user:` is neither `default` nor"),
        ("user:a%0Ab", json!({"set": {"clusters": 2}}), "`user:a\nb` names nobody"),
    ] {
        let (status, error) = refused(&api, "PATCH", &format!("limits/{path}"), body).await;
        assert_eq!(status, 422, "{error}");
        assert!(error.starts_with(says), "{error}");
    }
    let garbage = api.call("PATCH", "/api/v1/admin/limits/default").basic("root").body("{").send().await;
    assert_eq!(garbage.status, 422);
    assert_eq!(refused(&api, "PATCH", "limits/user:%ff", json!({})).await.0, 404);
    assert_eq!(api.everything_stored(), before);
}

#[tokio::test]
async fn a_frozen_user_reads_the_admins_sentence_until_the_freeze_is_taken_back() {
    let api = Api::new().await;
    let later = || api.host.pass(api.gateway.policy().limits_cache_ms + 1);
    let freeze = json!({"scope": "user:alice", "why": "the course is over"});
    let frozen = root(&api, "POST", "freeze", freeze).await;
    assert_eq!(frozen["limits"], json!({"frozen": "the course is over"}));
    later();
    let refusal = api.post("/api/v1/clusters/").basic("alice").json(&json!({})).send().await;
    assert_eq!(refusal.status, 422);
    assert!(refusal.error().contains("the course is over"), "{refusal:?}");
    root(&api, "POST", "unfreeze", json!({"scope": "user:alice", "why": "another begins"})).await;
    later();
    api.create("alice").await;
    assert_eq!(
        refused(&api, "POST", "unfreeze", json!({"scope": "user:alice"})).await,
        (409, "`user:alice` is not frozen".into())
    );
    assert_eq!(refused(&api, "POST", "freeze", json!({"scope": "user:alice"})).await.0, 422);
    assert_eq!(refused(&api, "POST", "freeze", json!({"why": "x"})).await.0, 422);
    assert_eq!(
        audited(&api).await,
        ["root freeze user:alice the course is over", "root unfreeze user:alice another begins"]
    );
}

#[tokio::test]
async fn usage_is_what_has_ended_and_what_runs() {
    let rates = Rates { vcpu_hour: 0.04, gib_hour: 0.005, ..Rates::default() };
    let policy = Policy { prices: Prices { default: rates, ..Prices::default() }, ..Policy::default() };
    let api = Api::with(Setup { policy, ..Setup::default() }).await;
    let name = api.running("alice").await;
    api.host.pass(HOUR);
    let usage = root(&api, "GET", "usage", Value::Null).await;
    let row = usage["usage"][0].clone();
    assert_eq!((&row["user"], &row["cluster"], &row["running"]), (&json!("alice"), &json!(name), &json!(true)));
    let near = |field: &str, value: f64| (row[field].as_f64().unwrap() - value).abs() < 1e-3;
    // the scheduler alone: a core and 2 GiB for an hour
    assert!(near("vcpu_hours", 1.0) && near("gib_hours", 2.0) && near("usd", 0.05), "{row}");

    let csv = ask(&api, "root", "GET", "usage?format=csv", &Value::Null).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let text = String::from_utf8(csv.body).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "month,user,cluster,vcpu_hours,gib_hours,spot_vcpu_hours,spot_gib_hours,usd,running");
    assert!(lines[1].contains(&format!(",alice,{name},")) && lines.len() == 2, "{text}");

    let empty = root(&api, "GET", "usage?month=2020-01", Value::Null).await;
    assert_eq!(empty, json!({"month": "2020-01", "usage": []}));
    assert_eq!(refused(&api, "GET", "usage?month=2020-13", Value::Null).await.0, 422);
    assert_eq!(refused(&api, "GET", "usage?format=xml", Value::Null).await.0, 422);
}

#[tokio::test]
async fn what_applies_to_a_user_says_whose_it_is_and_what_is_left() {
    let api = Api::new().await;
    root(&api, "PATCH", "limits/default", json!({"set": {"clusters": 2, "idle_timeout": 60}})).await;
    root(&api, "PATCH", "limits/group:a", json!({"set": {"total_workers": 9, "workers": 4}})).await;
    root(&api, "PATCH", "limits/user:alice", json!({"set": {"workers": 3}})).await;
    api.create("alice").await;
    let explained = root(&api, "GET", "explain/user:alice?group=a", Value::Null).await;
    assert_eq!(explained["groups"], json!(["a"]));
    let limits = explained["limits"].as_array().unwrap();
    let of = |field: &str| limits.iter().find(|limit| limit["field"] == field).unwrap().clone();
    assert_eq!(of("clusters"), json!({"field": "clusters", "limit": 2, "from": "default", "used": 1.0, "left": 1.0}));
    assert_eq!(of("workers"), json!({"field": "workers", "limit": 3, "from": "user:alice", "used": 0.0, "left": 3.0}));
    assert_eq!((&of("total_workers")["from"], &of("idle_timeout")["limit"]), (&json!("group:a"), &json!(60.0)));
    assert_eq!((&of("cores")["limit"], &of("cores")["from"]), (&Value::Null, &Value::Null));

    let item = root(&api, "GET", "explain/group:a", Value::Null).await;
    let fields: Vec<&Value> = item["limits"].as_array().unwrap().iter().map(|limit| &limit["field"]).collect();
    assert_eq!(fields, ["total_workers", "workers"]);
    assert_eq!(refused(&api, "GET", "explain/alice", Value::Null).await.0, 422);
}

#[tokio::test]
async fn audit_records_are_in_their_month_in_order_with_their_particulars() {
    let api = Api::new().await;
    for clusters in 1..4 {
        api.host.pass(1);
        root(&api, "PATCH", "limits/default", json!({"set": {"clusters": clusters}})).await;
    }
    let audit = root(&api, "GET", "audit", Value::Null).await;
    let entries = audit["audit"].as_array().unwrap();
    let details: Vec<&Value> = entries.iter().map(|entry| &entry["details"]["set"]["clusters"]).collect();
    assert_eq!(details, [1, 2, 3]);
    assert_eq!(entries[2]["details"]["before"], json!({"clusters": 2}));
    assert_eq!(root(&api, "GET", "audit?month=2020-01", Value::Null).await["audit"], json!([]));
    // later months do not hold them
    api.host.pass(40 * 24 * HOUR);
    assert_eq!(audited(&api).await, [""; 0]);
}

#[tokio::test]
async fn an_action_that_cannot_be_put_on_record_is_not_carried_out() {
    let api = Api::new().await;
    api.lose_the_store();
    for (method, path, body) in [
        ("PATCH", "limits/default", json!({"set": {"clusters": 1}})),
        ("DELETE", "users/alice/clusters", json!({})),
        ("POST", "freeze", json!({"scope": "default", "why": "x"})),
    ] {
        assert_eq!(refused(&api, method, path, body).await.0, 503);
    }
}
