//! Every limit as its user meets it: refused, clamped, frozen, allowed; and the sentences that say so.

use faregate_core::model::{ClusterConfig, ClusterName, Limits};
use faregate_core::ports::Question;
use faregate_tests::api::{Answer, Api, Setup, options};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const GIB: u64 = 1 << 30;

/// Alice is in the groups `a` and `b`, Bob in `a`.
async fn api() -> Api {
    let members = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let groups = [("a".to_owned(), members(&["alice", "bob"])), ("b".to_owned(), members(&["alice"]))].into();
    Api::with(Setup { options: options(), groups, ..Setup::default() }).await
}

async fn post(api: &Api, user: &str, path: &str, body: Value) -> Answer {
    api.post(path).basic(user).json(&body).send().await
}

async fn create(api: &Api, user: &str, options: Value) -> Answer {
    post(api, user, "/api/v1/clusters/", json!({"cluster_options": options})).await
}

async fn refused(answer: Answer) -> String {
    assert_eq!(answer.status, 422, "{answer:?}");
    answer.error()
}

async fn scale(api: &Api, name: &ClusterName, count: u32) -> Answer {
    post(api, "alice", &format!("/api/v1/clusters/{name}/scale"), json!({"count": count})).await
}

#[tokio::test]
async fn clusters_at_once_are_refused_and_one_that_is_stopping_counts() {
    let api = api().await;
    api.limit("default", Limits { clusters: Some(1), ..Limits::default() }).await;
    let name = api.running("alice").await;
    let sentence = refused(create(&api, "alice", json!({})).await).await;
    assert_snapshot!(sentence, @"the limit `clusters` = 1 of default is reached: 1 in use by user:alice (a stopping cluster counts until it is at rest), so none fits; stop one and try again");
    // told to stop, and not at rest
    assert_eq!(api.delete(&format!("/api/v1/clusters/{name}")).basic("alice").send().await.status, 204);
    assert_eq!(refused(create(&api, "alice", json!({})).await).await, sentence);
    api.end("alice", &name).await;
    assert_eq!(create(&api, "alice", json!({})).await.status, 201);
}

#[tokio::test]
async fn while_an_item_cannot_be_read_its_user_starts_nothing_new_and_reads_why() {
    let api = api().await;
    let name = api.running("alice").await;
    let broken = Limits { clusters: Some(-1), ..Limits::default() };
    api.limit("user:alice", broken.clone()).await;
    let sentence = refused(create(&api, "alice", json!({})).await).await;
    assert_snapshot!(sentence, @"the limits of user:alice cannot be read (`clusters` must be 0 or more, not -1): nothing new starts until an administrator mends them");
    assert_eq!(refused(scale(&api, &name, 3).await).await, sentence);
    assert_eq!(scale(&api, &name, 0).await.status, 200, "fewer at any time");
    let limits = api.get("/api/v1/limits").basic("alice").send().await.json();
    assert_eq!(limits["limits"]["unreadable"], json!({"limit": sentence, "from": "user:alice"}));
    let explained = api.get(&format!("/api/v1/clusters/{name}/explain")).basic("alice").send().await.json();
    assert_eq!(explained["held_by"][0], json!({"limit": "unreadable", "from": "user:alice", "message": sentence}));
    assert_eq!(create(&api, "bob", json!({})).await.status, 201, "others are not concerned");
    // mended, remembered, and broken again: what was last in force holds
    api.limit("user:alice", Limits { clusters: Some(1), ..Limits::default() }).await;
    api.enforcer.enforce(0).await.unwrap();
    api.limit("user:alice", broken).await;
    assert!(
        refused(create(&api, "alice", json!({})).await)
            .await
            .starts_with("the limit `clusters` = 1 of user:alice is reached")
    );
}

#[tokio::test]
async fn a_group_whose_item_cannot_be_read_holds_its_members() {
    let api = api().await;
    api.limit("group:b", Limits { total_memory: Some(4), ..Limits::default() }).await;
    let sentence = refused(create(&api, "alice", json!({})).await).await;
    assert_snapshot!(sentence, @r#"the limits of group:b cannot be read (`total_memory` must be 0 or at least 1 MiB, not 4 B; write "4 G" for 4 GiB): nothing new starts until an administrator mends them"#);
    assert_eq!(create(&api, "bob", json!({})).await.status, 201, "no member");
}

#[tokio::test]
async fn a_groups_total_is_refused_to_each_of_its_members() {
    let api = api().await;
    api.limit("group:a", Limits { total_clusters: Some(1), ..Limits::default() }).await;
    api.create("bob").await;
    assert_snapshot!(refused(create(&api, "alice", json!({})).await).await, @"the limit `total_clusters` = 1 of group:a is reached: 1 in use by group:a (a stopping cluster counts until it is at rest), so none fits; stop one and try again");
    assert_eq!(create(&api, "carol", json!({})).await.status, 201, "no member");
    api.limit("user:carol", Limits { clusters: Some(0), ..Limits::default() }).await;
    assert_snapshot!(refused(create(&api, "carol", json!({})).await).await, @"the limit `clusters` = 0 of user:carol is reached: 1 in use by user:carol (a stopping cluster counts until it is at rest), none is ever allowed");
}

#[tokio::test]
async fn scaling_over_what_can_ever_be_is_clamped_and_names_the_tightest_limit() {
    let api = api().await;
    let name =
        create(&api, "alice", json!({"worker_cores": 2})).await.json()["name"].as_str().unwrap().parse().unwrap();
    api.run(&name).await;
    let mut messages = Vec::new();
    for (scope, limits, most) in [
        ("user:alice", Limits { workers: Some(9), ..Limits::default() }, 9),
        ("default", Limits { cores: Some(16.0), ..Limits::default() }, 8),
        ("group:a", Limits { total_memory: Some(15 * GIB), ..Limits::default() }, 7),
        ("group:b", Limits { cluster_cores: Some(12.5), total_cores: Some(40.0), ..Limits::default() }, 6),
        ("user:alice", Limits { workers: Some(9), cluster_workers: Some(4), ..Limits::default() }, 4),
    ] {
        api.limit(scope, limits).await;
        let answer = scale(&api, &name, 10).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["ok"]), (200, &json!(false)));
        messages.push(answer.json()["msg"].as_str().unwrap().to_owned());
        assert_eq!(api.schedulers.take(), [Question::Scale { count: most }]);
    }
    assert_snapshot!(messages.join("\n"), @r"
    Scale request of 10 workers exceeds the limit `workers` = 9 of user:alice. Scaling to 9 instead.
    Scale request of 10 workers exceeds the limit `cores` = 16 of default. Scaling to 8 instead.
    Scale request of 10 workers exceeds the limit `total_memory` = 15 GiB of group:a. Scaling to 7 instead.
    Scale request of 10 workers exceeds the limit `cluster_cores` = 12.5 of group:b. Scaling to 6 instead.
    Scale request of 10 workers exceeds the limit `cluster_workers` = 4 of user:alice. Scaling to 4 instead.
    ");
    let path = format!("/api/v1/clusters/{name}/adapt");
    let answer = post(&api, "alice", &path, json!({"minimum": 5, "maximum": null, "active": true})).await.json();
    assert_snapshot!(answer["msg"].as_str().unwrap(), @"Adapt with `maximum=4, minimum=5` workers exceeds the limit `cluster_workers` = 4 of user:alice. Using `maximum=4, minimum=4` instead.");
    let answer = post(&api, "alice", &path, json!({"minimum": null, "maximum": null, "active": false})).await.json();
    assert_eq!(answer, json!({"ok": true, "msg": null}), "no bound becomes the limit in silence");
}

#[tokio::test]
async fn what_has_no_room_at_the_moment_is_no_warning_and_waits() {
    let api = api().await;
    api.limit("user:alice", Limits { workers: Some(4), ..Limits::default() }).await;
    let (first, second) = (api.running("alice").await, api.running("alice").await);
    api.want(&first, 3).await;
    assert_eq!(scale(&api, &second, 4).await.json(), json!({"ok": true, "msg": null}));
    api.want(&second, 4).await;
    let explained = api.get(&format!("/api/v1/clusters/{second}/explain")).basic("alice").send().await.json();
    let workers = json!({
        "wanted": 4, "running": 1, "starting": 0, "stopping": 0, "most": 4, "most_by": "`workers` = 4 of user:alice",
    });
    assert_eq!(explained["workers"], workers);
    assert_eq!(explained["waiting"]["code"], "waiting-for-room");
    assert_eq!(
        explained["held_by"],
        json!([{
            "limit": "workers", "value": 4, "from": "user:alice", "used": 4, "left": 0,
            "message": "the limit `workers` = 4 of user:alice leaves room for 0 of 3 workers: 4 in use by user:alice",
        }])
    );
}

#[tokio::test]
async fn the_frozen_start_nothing_and_read_the_admins_sentence() {
    let api = api().await;
    let name = api.running("alice").await;
    let frozen = Some("the bill is unpaid: ask Carol".to_owned());
    api.limit("group:b", Limits { frozen, ..Limits::default() }).await;
    let sentence = refused(create(&api, "alice", json!({})).await).await;
    assert_snapshot!(sentence, @"group:b is frozen: the bill is unpaid: ask Carol");
    assert_eq!(refused(scale(&api, &name, 1).await).await, sentence);
    let path = format!("/api/v1/clusters/{name}/adapt");
    assert_eq!(refused(post(&api, "alice", &path, json!({})).await).await, sentence);
    assert_eq!(api.schedulers.take(), []);
    assert_eq!(create(&api, "bob", json!({})).await.status, 201, "another's freeze");
}

fn allow(field: &str, values: Value) -> Limits {
    let values = values.as_array().unwrap().clone();
    Limits { allowed: Some(BTreeMap::from([(field.to_owned(), values)])), ..Limits::default() }
}

#[tokio::test]
async fn only_allowed_values_are_offered_and_taken() {
    let api = api().await;
    api.limit("group:a", allow("profile", json!(["large"]))).await;
    api.limit("user:alice", allow("worker_cores", json!([2, 4]))).await;
    let described = api.get("/api/v1/options").basic("alice").send().await.json();
    let fields = described["cluster_options"].as_array().unwrap();
    let of = |field: &str| fields.iter().find(|f| f["field"] == field).unwrap();
    assert_eq!(
        of("profile"),
        &json!({"field": "profile", "label": "profile", "default": "large",
            "spec": {"type": "select", "options": ["large"]}})
    );
    assert_eq!(of("worker_cores")["default"], 2);
    // without a choice, the offered default
    let name = create(&api, "alice", json!({})).await.json()["name"].as_str().unwrap().parse().unwrap();
    let chosen = api.report("alice", &name).await["options"].clone();
    assert_eq!((&chosen["profile"], &chosen["worker_cores"]), (&json!("large"), &json!(2)));
    assert_eq!(create(&api, "alice", json!({"profile": "large", "worker_cores": 4})).await.status, 201);
    assert_snapshot!(refused(create(&api, "alice", json!({"worker_cores": 3})).await).await, @"`worker_cores` = `3` is not allowed: the limit `allowed` of user:alice has `2`, `4` for `worker_cores`");
    assert_snapshot!(refused(create(&api, "alice", json!({"profile": "small"})).await).await, @"`profile` = `small` is not allowed: the limit `allowed` of group:a has `large` for `profile`");
    let others = api.get("/api/v1/options").basic("carol").send().await.json();
    assert_eq!(others["cluster_options"], options().describe());
}

#[tokio::test]
async fn my_limits_say_whose_they_are_and_what_is_left() {
    let api = api().await;
    api.limit("default", Limits { clusters: Some(5), max_lifetime: Some(3600.0), ..Limits::default() }).await;
    let totals = Limits { total_workers: Some(8), total_clusters: Some(3), ..Limits::default() };
    api.limit("group:a", Limits { cores: Some(10.5), ..totals }).await;
    api.limit("group:b", Limits { total_workers: Some(6), ..Limits::default() }).await;
    let own =
        Limits { memory: Some(64 * GIB), cluster_workers: Some(4), idle_timeout: Some(600.0), ..Limits::default() };
    api.limit("user:alice", Limits { clusters: Some(2), budget: Some(50.0), ..own }).await;
    let name = api.running("alice").await;
    api.want(&name, 3).await;
    let other = api.running("bob").await;
    api.want(&other, 1).await;
    for path in ["/api/v1/limits", "/api/v1/limits/"] {
        let answer = api.get(path).basic("alice").send().await;
        assert_eq!(answer.status, 200);
        let of = |limit: Value, from: Value, used: Value, left: Value| json!({"limit": limit, "from": from, "used": used, "left": left});
        let (a, b, alice, none) = (json!("group:a"), json!("group:b"), json!("user:alice"), json!(null));
        let total_workers = of(json!(6), b.clone(), json!(3), json!(3));
        assert_eq!(
            answer.json(),
            json!({
                "limits": {
                    "clusters": of(json!(2), alice.clone(), json!(1), json!(1)),
                    "workers": of(none.clone(), none.clone(), json!(3), none.clone()),
                    "cores": of(json!(10.5), a.clone(), json!(3.0), json!(7.5)),
                    "memory": of(json!(64 * GIB), alice.clone(), json!(6 * GIB), json!(58 * GIB)),
                    "cluster_workers": {"limit": 4, "from": alice},
                    "cluster_cores": {"limit": null, "from": null},
                    "cluster_memory": {"limit": null, "from": null},
                    "total_clusters": of(json!(3), a.clone(), json!(2), json!(1)),
                    "total_workers": total_workers,
                    "total_cores": of(none.clone(), none.clone(), none.clone(), none.clone()),
                    "total_memory": of(none.clone(), none.clone(), none.clone(), none.clone()),
                    "max_lifetime": {"limit": 3600.0, "from": "default"},
                    "idle_timeout": {"limit": 600.0, "from": alice},
                    "budget": of(json!(50.0), alice.clone(), json!(0.0), json!(50.0)),
                    "allowed": {},
                    "frozen": {"limit": null, "from": null},
                },
                "groups": {
                    "group:a": {
                        "total_clusters": of(json!(3), a.clone(), json!(2), json!(1)),
                        "total_workers": of(json!(8), a, json!(4), json!(4)),
                        "total_cores": of(none.clone(), none.clone(), json!(4.0), none.clone()),
                        "total_memory": of(none.clone(), none.clone(), json!(8 * GIB), none.clone()),
                    },
                    "group:b": {
                        "total_clusters": of(none.clone(), none.clone(), json!(1), none.clone()),
                        "total_workers": total_workers,
                        "total_cores": of(none.clone(), none.clone(), json!(3.0), none.clone()),
                        "total_memory": of(none.clone(), none.clone(), json!(6 * GIB), none),
                    },
                },
            })
        );
    }
    assert_eq!(api.get("/api/v1/limits").send().await.status, 401);
    assert_eq!(api.get("/api/v1/limits").token(&api.token(&name)).send().await.status, 401);
}

#[tokio::test]
async fn a_clusters_own_configuration_is_a_limit_too() {
    let base = ClusterConfig { cluster_max_memory: Some(9 * GIB), ..ClusterConfig::default() };
    let api = Api::with(Setup { base, ..Setup::default() }).await;
    let name = api.running("alice").await;
    assert_snapshot!(scale(&api, &name, 5).await.json()["msg"].as_str().unwrap(), @"Scale request of 5 workers exceeds the limit `cluster_max_memory` = 9 GiB of its options. Scaling to 3 instead.");
}
