//! Passwords of users' own and machine tokens: made, used, refused, revoked; and what a freeze leaves open.

use faregate_api::Dashboards;
use faregate_auth::Method;
use faregate_auth::access::Access;
use faregate_auth::methods::basic::Basic;
use faregate_auth::methods::tokens::Tokens;
use faregate_core::model::{Cluster, ClusterName, Limits, Scope};
use faregate_gateway::admin::Act;
use faregate_tests::api::{Answer, Api, Call, Methods, Setup};
use serde_json::{Value, json};
use std::sync::Arc;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Everybody has a password of their own, and may make tokens.
async fn with_passwords(users: &[(&str, &str)]) -> Api {
    with_passwords_and(users, Setup::default()).await
}

pub async fn with_passwords_and(users: &[(&str, &str)], setup: Setup) -> Api {
    let methods = |access: &Arc<Access>| -> Vec<Box<dyn Method>> {
        let (passwords, tokens) = (Basic::own(access.clone()), Tokens { access: access.clone() });
        vec![Box::new(passwords), Box::new(tokens)]
    };
    let methods: Methods = Box::new(methods);
    let api = Api::with(Setup { methods: Some(methods), ..setup }).await;
    for (name, password) in users {
        api.access.add_user(&act(), name, password).await.unwrap();
    }
    api
}

pub fn act() -> Act {
    Act::new("command line: carol", None).unwrap()
}

async fn make(api: &Api, user: &str, body: Value) -> Answer {
    api.post("/api/v1/tokens").basic(user).json(&body).send().await
}

/// A new token of a user's: its text and its id.
async fn token(api: &Api, user: &str, scopes: &[&str]) -> (String, String) {
    let made = make(api, user, json!({"name": "nightly", "scopes": scopes})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let word = |key: &str| made.json()[key].as_str().unwrap().to_owned();
    (word("token"), word("id"))
}

async fn status(call: Call) -> u16 {
    call.send().await.status.as_u16()
}

const CLUSTERS: &str = "/api/v1/clusters/";

#[tokio::test]
async fn a_token_is_shown_once_and_kept_as_a_hash() {
    let api = Api::new().await;
    let (text, id) = token(&api, "alice", &["read"]).await;
    assert!(text.starts_with(&format!("fgt_{id}_")), "{text}");
    let secret = text.rsplit('_').next().unwrap();
    let stored = format!("{:?}", api.everything_stored());
    assert!(stored.contains(&id) && !stored.contains(secret));
    let listed = api.get("/api/v1/tokens").basic("alice").send().await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(secret));
    let row = &listed.json()["tokens"][0];
    let now = api.gateway.now();
    assert_eq!(
        *row,
        json!({
            "id": id, "user": "alice", "name": "nightly", "scopes": ["read"], "groups": [format!("token:{id}")],
            "valid": true, "created_at": now, "created_by": "alice", "expires_at": now + 30 * DAY,
            "revoked_at": null, "last_used_at": null,
        })
    );
    assert_eq!(api.get("/api/v1/tokens").basic("bob").send().await.json(), json!({"tokens": []}));
}

#[tokio::test]
async fn a_token_comes_as_bearer_or_as_a_password_with_its_users_name_or_none() {
    let api = Api::with(Setup { password: Some("secret".into()), ..Setup::default() }).await;
    let made = api.post("/api/v1/tokens").credentials("alice:secret").json(&json!({"name": "ci", "scopes": ["read"]}));
    let text = made.send().await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(status(api.get(CLUSTERS).bearer(&text)).await, 200);
    assert_eq!(status(api.get(CLUSTERS).credentials(&format!("alice:{text}"))).await, 200);
    assert_eq!(status(api.get(CLUSTERS).credentials(&format!(":{text}"))).await, 200);
    let (id, secret) = (&text[4..20], &text[21..]);
    for bad in [
        format!("fgt_{}_{secret}", "0".repeat(16)),
        format!("fgt_{id}_{}", "0".repeat(64)),
        format!("fgt_{id}_{}", secret.to_uppercase()),
        format!("fgt_{id}"),
        format!("{text}0"),
        "fgt_".into(),
        "fgt_é".into(),
        format!("fgt_../tokens/{id}_{secret}"),
    ] {
        assert_eq!(status(api.get(CLUSTERS).bearer(&bad)).await, 401, "{bad}");
        assert_eq!(status(api.get(CLUSTERS).credentials(&format!("alice:{bad}"))).await, 401, "{bad}");
    }
    assert_eq!(status(api.get(CLUSTERS).credentials(&format!("bob:{text}"))).await, 401, "another's name");
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_for_people_or_admins() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let cluster = format!("/api/v1/clusters/{name}");
    for (scopes, read, create, stop) in [
        (&["read"][..], 200, 403, 403),
        (&["create"], 403, 201, 403),
        (&["stop"], 403, 403, 204),
        (&["create", "read", "stop"], 200, 201, 204),
    ] {
        let (text, id) = token(&api, "alice", scopes).await;
        let (entered, cookie) = {
            let answer = api.get(&cluster).bearer(&text).send().await;
            (answer.status.as_u16(), answer.session().unwrap())
        };
        assert_eq!(entered, read, "{scopes:?}");
        assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, read, "{scopes:?}");
        assert_eq!(status(api.post(CLUSTERS).bearer(&text).json(&json!({}))).await, create, "{scopes:?}");
        assert_eq!(status(api.post(CLUSTERS).cookie(&cookie).json(&json!({}))).await, create, "{scopes:?}");
        assert_eq!(status(api.delete(&cluster).cookie(&cookie)).await, stop, "{scopes:?}");
        for call in [
            api.get("/api/v1/tokens"),
            api.post("/api/v1/tokens").json(&json!({"name": "more", "scopes": ["read"]})),
            api.delete(&format!("/api/v1/tokens/{id}")),
            api.get("/api/v1/admin/limits"),
            api.get("/api/v1/admin/tokens"),
        ] {
            let refused = call.bearer(&text).send().await;
            assert_eq!(refused.status, 403, "{scopes:?}");
            refused.error();
        }
    }
    let (reader, _) = token(&api, "alice", &["read"]).await;
    let refused = api.delete(&cluster).bearer(&reader).send().await.error();
    assert!(refused.contains("the scope `stop`, and has `read`"), "{refused}");
}

#[tokio::test]
async fn what_lets_anybody_in_to_a_cluster_is_for_the_scope_connect() {
    for dashboards in [Dashboards::Here { sign_in: false }, Dashboards::Here { sign_in: true }] {
        let keyed = dashboards.are_keyed();
        let api = Api::with(Setup { dashboards: Some(dashboards), ..Setup::default() }).await;
        let name = api.running("alice").await;
        let whole = api.report("alice", &name).await;
        let key = whole["tls_key"].as_str().unwrap();
        let route = whole["dashboard_route"].as_str().unwrap();
        let cluster = format!("/api/v1/clusters/{name}");
        for (scopes, connects) in [
            (&["read"][..], false),
            (&["read", "stop"], false),
            (&["read", "connect"], true),
            (&["read", "create"], true),
        ] {
            let (text, _) = token(&api, "alice", scopes).await;
            let cookie = api.get(CLUSTERS).bearer(&text).send().await.session().unwrap();
            let ask = |path: &str| [api.get(path).bearer(&text), api.get(path).cookie(&cookie)];
            for call in ask(&cluster) {
                let report = call.send().await.json();
                assert_eq!(report["status"], "RUNNING", "the rest is there: {scopes:?}");
                assert_eq!(report.as_object().unwrap().len(), whole.as_object().unwrap().len(), "{scopes:?}");
                assert_eq!(
                    (report["tls_key"] == key, report["tls_key"].is_null()),
                    (connects, !connects),
                    "{scopes:?}"
                );
                assert_eq!(report["tls_cert"].is_null(), !connects, "{scopes:?}");
                assert_eq!(report["dashboard_route"].is_null(), keyed && !connects, "{scopes:?}");
            }
            for call in ask(CLUSTERS) {
                let listed = call.send().await.json()[name.as_str()]["dashboard_route"].clone();
                assert_eq!(listed.is_null(), keyed && !connects, "{scopes:?}");
            }
            for call in ask(&format!("{cluster}?wait")) {
                let waited = call.send().await;
                assert_eq!(waited.status, if connects { 200 } else { 409 }, "{scopes:?}");
                assert!(connects || waited.error().contains("the scope `connect`, and has `read"), "{waited:?}");
            }
            if !keyed {
                for call in ask(route) {
                    let opened = call.send().await;
                    assert_eq!(opened.status, if connects { 302 } else { 403 }, "{scopes:?}");
                    assert_eq!(opened.set_cookies("faregate-dashboard").is_empty(), !connects, "{scopes:?}");
                }
            }
            // nothing else that it may read has the key, or the way to it
            if !connects {
                for path in [&format!("{cluster}/explain"), "/api/v1/limits", "/api/v1/usage", "/api/v1/options"] {
                    for call in ask(path) {
                        let answer = call.send().await;
                        let said = String::from_utf8_lossy(&answer.body).into_owned();
                        assert_eq!(answer.status, 200, "{path}");
                        let secret = api.gateway.clusters.dashboard_key(&stored(&api, &name).await).unwrap();
                        for secret in [key, &secret, &api.token(&name)] {
                            assert!(!said.contains(secret), "{path}");
                        }
                    }
                }
            }
        }
    }
}

async fn stored(api: &Api, name: &ClusterName) -> Cluster {
    faregate_core::ports::Store::cluster(&*api.store, name).await.unwrap().unwrap().value
}

#[tokio::test]
async fn where_a_token_may_not_connect_others_clusters_are_still_others() {
    let api = Api::new().await;
    let name = api.running("bob").await;
    let (text, _) = token(&api, "alice", &["read"]).await;
    assert_eq!(status(api.get(&format!("/api/v1/clusters/{name}?wait")).bearer(&text)).await, 403);
    assert_eq!(status(api.get(&format!("/api/v1/clusters/{}?wait", "0".repeat(32))).bearer(&text)).await, 404);
}

#[tokio::test]
async fn an_admins_token_is_no_admin() {
    let api = Api::new().await;
    let (text, _) = token(&api, "root", &["create", "read", "stop"]).await;
    assert_eq!(status(api.get("/api/v1/admin/clusters").basic("root")).await, 200);
    assert_eq!(status(api.get("/api/v1/admin/clusters").bearer(&text)).await, 403);
}

#[tokio::test]
async fn a_revoked_token_is_out_within_a_minute_and_so_is_its_session() {
    let api = Api::new().await;
    let (text, id) = token(&api, "alice", &["read"]).await;
    let cookie = api.get(CLUSTERS).bearer(&text).send().await.session().unwrap();
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 200);
    // by another replica, of whose doing this one hears nothing
    let other = Access::new(api.store.clone(), api.host.clone());
    let who = faregate_auth::access::By::Admin(&act());
    other.revoke(who, &id).await.unwrap();
    api.host.pass(MINUTE);
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 401);
    assert_eq!(status(api.get(CLUSTERS).bearer(&text)).await, 401);

    // by this one: at once
    let (text, id) = token(&api, "alice", &["read"]).await;
    let cookie = api.get(CLUSTERS).bearer(&text).send().await.session().unwrap();
    let revoke = async |user: &str| api.delete(&format!("/api/v1/tokens/{id}")).basic(user).send().await;
    let (others, none) = (revoke("bob").await, api.delete("/api/v1/tokens/x%2Fy").basic("bob").send().await);
    assert_eq!((others.status.as_u16(), none.status.as_u16()), (404, 404));
    assert_eq!(others.error(), format!("there is no token `{id}`"));
    assert_eq!(none.error(), "there is no token `x/y`");
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 200);
    let revoked = revoke("alice").await;
    assert_eq!((revoked.status.as_u16(), &revoked.json()["valid"]), (200, &json!(false)));
    assert_eq!(revoke("alice").await.json()["revoked_at"], revoked.json()["revoked_at"], "again changes nothing");
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 401);
    assert_eq!(status(api.get(CLUSTERS).bearer(&text)).await, 401);
}

#[tokio::test]
async fn a_token_expires_and_is_listed_for_some_time() {
    let api = Api::new().await;
    let made = make(&api, "alice", json!({"name": "x", "scopes": ["read"], "expires_in": 90})).await.json();
    let text = made["token"].as_str().unwrap();
    let cookie = api.get(CLUSTERS).bearer(text).send().await.session().unwrap();
    api.host.pass(89_999);
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 200);
    assert_eq!(status(api.get(CLUSTERS).bearer(text)).await, 200);
    api.host.pass(1);
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 401);
    assert_eq!(status(api.get(CLUSTERS).bearer(text)).await, 401);
    let listed = async || api.get("/api/v1/tokens").basic("alice").send().await.json()["tokens"].clone();
    assert_eq!(listed().await[0]["valid"], false);
    api.host.pass(30 * DAY);
    assert_eq!(listed().await, json!([]));
}

#[tokio::test]
async fn the_last_use_of_a_token_is_seen_and_costs_few_writes() {
    let api = Api::new().await;
    let (text, _) = token(&api, "alice", &["read"]).await;
    let cookie = api.get(CLUSTERS).bearer(&text).send().await.session().unwrap();
    let first = api.gateway.now();
    let used =
        async || api.get("/api/v1/tokens").basic("alice").send().await.json()["tokens"][0]["last_used_at"].clone();
    assert_eq!(used().await, first);
    let before = api.everything_stored();
    for _ in 0..4 {
        api.host.pass(MINUTE);
        assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 200);
        assert_eq!(status(api.get(CLUSTERS).bearer(&text)).await, 200);
    }
    assert_eq!(api.everything_stored(), before);
    api.host.pass(MINUTE);
    assert_eq!(status(api.get(CLUSTERS).cookie(&cookie)).await, 200);
    assert_eq!(used().await, first + 5 * MINUTE);
}

#[tokio::test]
async fn a_token_has_its_users_groups_and_limits_and_its_own() {
    let groups = [("team".to_owned(), ["alice".to_owned()].into())].into();
    let api = Api::with(Setup { groups, ..Setup::default() }).await;
    let (text, id) = token(&api, "alice", &["create", "read"]).await;
    api.limit(&format!("group:token:{id}"), Limits { total_clusters: Some(1), ..Limits::default() }).await;
    let create = async || api.post(CLUSTERS).bearer(&text).json(&json!({})).send().await;
    let name = create().await.json()["name"].as_str().unwrap().to_owned();
    let refused = create().await;
    assert_eq!(refused.status, 422);
    assert!(refused.error().contains(&format!("`total_clusters` = 1 of group:token:{id}")), "{}", refused.error());
    // it is alice's cluster, counted for her and her group; she herself is not bound by the token's limits
    api.report("alice", &name.parse().unwrap()).await;
    let counted = |scope: &str| Scope::try_from(scope.to_owned()).unwrap();
    let usage =
        faregate_core::ports::Store::usage(&*api.store, &[counted("user:alice"), counted("group:team")]).await.unwrap();
    assert!(usage.iter().all(|usage| usage.value.counts.clusters == 1), "{usage:?}");
    api.create("alice").await;
}

#[tokio::test]
async fn what_is_wrong_with_a_new_token_is_named() {
    let api = Api::new().await;
    let good = || json!({"name": "x", "scopes": ["read"]});
    for (field, value, says) in [
        ("name", json!(null), "`name` is missing"),
        ("name", json!(""), "`name` must have 1 to 64 characters"),
        ("name", json!("x".repeat(65)), "`name` must have 1 to 64 characters"),
        ("name", json!("a\nb"), "none of them a control character"),
        ("name", json!(7), "`name` must be a string, not a number"),
        ("scopes", json!(null), "`scopes` is empty"),
        ("scopes", json!([]), "`scopes` is empty"),
        ("scopes", json!("read"), "`scopes` must be a list of strings, not a string"),
        ("scopes", json!(["read", 1]), "`scopes` must be a list of strings, not a number"),
        ("scopes", json!(["admin"]), "`scopes` cannot have `admin`: there is `create`, `read`, `connect`, `stop`"),
        ("expires_in", json!(0), "`expires_in` must be 1 to 31622400 seconds (366 days), not 0"),
        ("expires_in", json!(31_622_401), "`expires_in` must be 1 to 31622400 seconds (366 days), not 31622401"),
        ("expires_in", json!(-1e300), "`expires_in` must be 1 to"),
        ("expires_in", json!("1 d"), "`expires_in` must be a number of seconds, not a string"),
        ("groups", json!(["admins"]), "`groups` means nothing in this body"),
        ("user", json!("bob"), "`user` means nothing in this body"),
    ] {
        let mut body = good();
        body[field] = value;
        let refused = make(&api, "alice", body).await;
        assert_eq!(refused.status, 422, "{field}");
        assert!(refused.error().contains(says), "{field}: {}", refused.error());
    }
    for n in 0..100 {
        assert_eq!(make(&api, "alice", good()).await.status, 201, "{n}");
    }
    let refused = make(&api, "alice", good()).await;
    assert!(refused.error().contains("at most 100 tokens"), "{}", refused.error());
    assert_eq!(make(&api, "bob", good()).await.status, 201, "another's");
}

#[tokio::test]
async fn admins_make_list_and_revoke_anybodys_tokens_on_record() {
    let api = Api::new().await;
    let (own, _) = token(&api, "bob", &["read"]).await;
    let body = json!({
        "user": "alice", "groups": ["team", "team"], "name": "nightly", "scopes": ["create", "read"], "expires_in": 3600,
        "why": "the pipeline",
    });
    let made = api.post("/api/v1/admin/tokens").basic("root").json(&body).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["groups"], json!([format!("token:{id}"), "team"]));
    assert_eq!((&made["user"], &made["created_by"]), (&json!("alice"), &json!("root")));
    let text = made["token"].as_str().unwrap();
    assert_eq!(status(api.post(CLUSTERS).bearer(text).json(&json!({}))).await, 201);
    let listed = async |query: &str| {
        let answer = api.get(&format!("/api/v1/admin/tokens{query}")).basic("root").send().await.json();
        answer["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["user"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = listed("").await;
    all.sort();
    assert_eq!(all, ["alice", "bob"]);
    assert_eq!(listed("?user=alice").await, ["alice"]);

    let revoke = async |query: &str| {
        api.delete(&format!("/api/v1/admin/tokens/{id}{query}")).basic("root").send().await.status.as_u16()
    };
    api.host.pass(1);
    assert_eq!(revoke("?why=over").await, 200);
    assert_eq!(status(api.get(CLUSTERS).bearer(text)).await, 401);
    assert_eq!(status(api.get(CLUSTERS).bearer(&own)).await, 200);
    assert_eq!(status(api.delete("/api/v1/admin/tokens/none").basic("root")).await, 404);
    let missing = api.post("/api/v1/admin/tokens").basic("root").json(&json!({"name": "x", "scopes": ["read"]}));
    assert!(missing.send().await.error().contains("`user` is missing"));

    let audit = api.get("/api/v1/admin/audit").basic("root").send().await.json();
    let lines: Vec<String> = audit["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| ["who", "action", "target", "why"].map(|key| entry[key].as_str().unwrap_or("-")).join(" "))
        .collect();
    let revoked = format!("root revoke-token token:{id} over");
    assert_eq!(lines, ["root make-token user:alice the pipeline".to_owned(), revoked]);
}

#[tokio::test]
async fn everybody_has_their_own_password() {
    let api = with_passwords(&[("alice", "correct horse"), ("andré", "pässword!")]).await;
    for (credentials, expected) in [
        ("alice:correct horse", 200),
        ("andr\u{e9}:pässword!", 200),
        ("alice:correct hors", 401),
        ("alice:", 401),
        ("alice:pässword!", 401),
        ("Alice:correct horse", 401),
        ("bob:correct horse", 401),
        (":correct horse", 401),
    ] {
        assert_eq!(status(api.get(CLUSTERS).credentials(credentials)).await, expected, "{credentials}");
    }
    let long = format!("alice:{}", "x".repeat(2_000));
    assert_eq!(status(api.get(CLUSTERS).credentials(&long)).await, 401);
    let stored = format!("{:?}", api.everything_stored());
    assert!(stored.contains("$argon2id$v=19$m=19456,t=2,p=1$") && !stored.contains("correct horse"));
    // listed for admins: names and dates
    let methods = api.get("/api/v1/admin/accounts").credentials("alice:correct horse").send().await;
    assert_eq!(methods.status, 403);
    api.access.add_user(&act(), "root", "an admin's own").await.unwrap();
    let listed = api.get("/api/v1/admin/accounts").credentials("root:an admin's own").send().await.json();
    let now = api.gateway.now();
    let row = |name: &str| json!({"name": name, "changed_at": now});
    assert_eq!(listed, json!({"accounts": [row("alice"), row("andré"), row("root")]}));
}

#[tokio::test]
async fn a_changed_password_and_a_removed_user_end_sessions_within_a_minute() {
    let api = with_passwords(&[("alice", "first password"), ("bob", "bobs password")]).await;
    let enter = async |credentials: &str| api.get(CLUSTERS).credentials(credentials).send().await.session();
    let by = async |cookie: &str| status(api.get(CLUSTERS).cookie(cookie)).await;
    api.host.pass(1);
    let (alice, bob) = (enter("alice:first password").await.unwrap(), enter("bob:bobs password").await.unwrap());
    assert_eq!((by(&alice).await, by(&bob).await), (200, 200));
    // by another replica, of whose doing this one hears nothing
    let other = Access::new(api.store.clone(), api.host.clone());
    api.host.pass(1);
    other.set_password(&act(), "alice", "second password").await.unwrap();
    api.host.pass(MINUTE - 1);
    assert_eq!((by(&alice).await, by(&bob).await), (401, 200));
    assert_eq!(enter("alice:first password").await, None);
    let alice = enter("alice:second password").await.unwrap();
    assert_eq!(by(&alice).await, 200);

    let made = api.post("/api/v1/tokens").cookie(&alice).json(&json!({"name": "x", "scopes": ["read"]})).send().await;
    let text = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(status(api.get(CLUSTERS).bearer(&text)).await, 200);
    assert_eq!(other.remove_user(&act(), "alice").await.unwrap(), 1);
    // what a session of a minute may do, lasts no longer than it
    let late = api.post("/api/v1/tokens").cookie(&alice).json(&json!({"name": "y", "scopes": ["read"]})).send().await;
    assert_eq!(late.status, 403, "{late:?}");
    assert_eq!(enter("alice:second password").await, None);
    api.host.pass(MINUTE);
    assert_eq!((by(&alice).await, status(api.get(CLUSTERS).bearer(&text)).await), (401, 401));
    assert_eq!(by(&bob).await, 200);

    // added again, she enters anew; what was before stays over
    other.add_user(&act(), "alice", "second password").await.unwrap();
    api.host.pass(1);
    let anew = enter("alice:second password").await.unwrap();
    assert_eq!((by(&anew).await, by(&alice).await), (200, 401));
}

#[tokio::test]
async fn no_session_outlives_its_password_when_the_clock_was_set_back() {
    let api = with_passwords(&[("alice", "first password")]).await;
    let enter = async |credentials: &str| api.get(CLUSTERS).credentials(credentials).send().await.session();
    let by = async |cookie: &str| status(api.get(CLUSTERS).cookie(cookie)).await;
    api.host.pass(10 * MINUTE);
    let ahead = enter("alice:first password").await.unwrap();
    assert_eq!(by(&ahead).await, 200);
    api.host.pass(-10 * MINUTE);
    assert_eq!(by(&ahead).await, 401, "a clock that was ahead issued it");
    api.host.pass(MINUTE);
    api.access.set_password(&act(), "alice", "second password").await.unwrap();
    api.host.pass(1);
    let second = enter("alice:second password").await.unwrap();
    assert_eq!(by(&second).await, 200);
    // the clock has caught up with what was issued by it
    api.host.pass(10 * MINUTE);
    assert_eq!((by(&ahead).await, by(&second).await), (401, 200));
    // and a password that a clock ahead has set lets its user in
    api.access.set_password(&act(), "alice", "third password").await.unwrap();
    api.host.pass(-10 * MINUTE);
    let third = enter("alice:third password").await.unwrap();
    assert_eq!((by(&second).await, by(&third).await), (401, 200));
}

#[tokio::test]
async fn what_admins_do_to_users_is_on_record_and_what_is_refused_is_not() {
    let api = with_passwords(&[("alice", "first password")]).await;
    let access = &api.access;
    api.host.pass(1);
    access.set_password(&act(), "alice", "second password").await.unwrap();
    api.host.pass(1);
    access.remove_user(&act(), "alice").await.unwrap();
    api.host.pass(1);
    let says = |refused: Result<(), faregate_auth::access::AccessError>| refused.unwrap_err().to_string();
    for (refused, expected) in [
        (access.remove_user(&act(), "alice").await.map(drop), "there is no user `alice` with a password"),
        (access.set_password(&act(), "alice", "third password").await.map(drop), "there is no user `alice`"),
        (access.add_user(&act(), "a:b", "third password").await.map(drop), "`name` has a colon"),
        (access.add_user(&act(), "", "third password").await.map(drop), "a user name has 1 to 128 characters"),
        (access.add_user(&act(), "bob", "short").await.map(drop), "`password` must have 8 to 1024 characters, not 5"),
    ] {
        let sentence = says(refused);
        assert!(sentence.contains(expected), "{sentence}");
    }
    access.add_user(&act(), "alice", "third password").await.unwrap();
    let again = access.add_user(&act(), "alice", "third password").await.map(drop);
    assert!(says(again).contains("there is a user `alice` already"));
    let audit = api.gateway.admin().audits(faregate_core::model::Month::of(api.gateway.now())).await.unwrap().audit;
    let actions: Vec<&str> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["add-user", "set-password", "remove-user", "add-user"]);
    assert!(audit.iter().all(|entry| entry.target == "user:alice" && entry.who == "command line: carol"));
    assert!(!format!("{audit:?}").contains("second password"));
}

#[tokio::test]
async fn what_may_be_used_once_is_used_once_wherever() {
    let api = Api::new().await;
    let other = Access::new(api.store.clone(), api.host.clone());
    let until = api.gateway.now() + MINUTE;
    assert!(api.access.use_once("a ticket", until).await.unwrap());
    assert!(
        !other.use_once("a ticket", until).await.unwrap() && !api.access.use_once("a ticket", until).await.unwrap()
    );
    assert!(other.use_once("another", until).await.unwrap());
    assert!(!format!("{:?}", api.everything_stored()).contains("ticket"));
}

#[tokio::test]
async fn the_frozen_are_refused_all_but_the_reason_within_a_minute_and_let_in_again() {
    let api = Api::new().await;
    let name = api.running("alice").await;
    let (text, _) = token(&api, "alice", &["create", "read", "stop"]).await;
    let cookie = api.get(CLUSTERS).basic("alice").send().await.session().unwrap();
    let cluster = format!("/api/v1/clusters/{name}");
    let frozen = json!({"scope": "user:alice", "why": "the course is over"});
    let by_admin = async |path: &str, body: &Value| {
        assert_eq!(status(api.post(&format!("/api/v1/admin/{path}")).basic("root").json(body)).await, 200);
        api.host.pass(MINUTE);
    };
    by_admin("freeze", &frozen).await;
    let refused = |call: Call| async {
        let answer = call.send().await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert_eq!(answer.error(), "user:alice is frozen: the course is over");
    };
    for path in ["/api/v1/options", "/api/v1/usage", "/api/v1/tokens", CLUSTERS, &cluster] {
        refused(api.get(path).basic("alice")).await;
        refused(api.get(path).cookie(&cookie)).await;
    }
    refused(api.get(&cluster).bearer(&text)).await;
    refused(api.post(CLUSTERS).cookie(&cookie).json(&json!({}))).await;
    refused(api.post(&format!("{cluster}/scale")).cookie(&cookie).json(&json!({"count": 1}))).await;
    refused(api.delete(&cluster).cookie(&cookie)).await;
    for path in ["/api/v1/limits", "/api/v1/limits/", &format!("{cluster}/explain"), &format!("{cluster}/explain/")] {
        assert_eq!(status(api.get(path).cookie(&cookie)).await, 200, "{path}");
        assert_eq!(status(api.get(path).bearer(&text)).await, 200, "{path}");
    }
    assert_eq!(status(api.get(CLUSTERS).basic("bob")).await, 200, "another's freeze");
    by_admin("unfreeze", &json!({"scope": "user:alice"})).await;
    assert_eq!(status(api.get(&cluster).cookie(&cookie)).await, 200);

    // everybody, and only the admin can take it back
    by_admin("freeze", &json!({"scope": "default", "why": "maintenance"})).await;
    for user in ["bob", "root"] {
        let answer = api.get(CLUSTERS).basic(user).send().await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (422, "default is frozen: maintenance"));
    }
    by_admin("unfreeze", &json!({"scope": "default"})).await;
    assert_eq!(status(api.get(CLUSTERS).basic("bob")).await, 200);
}

#[tokio::test]
async fn when_the_records_are_lost_nobody_is_let_in_and_told_so() {
    let api = with_passwords(&[("alice", "first password")]).await;
    let cookie = api.get(CLUSTERS).credentials("alice:first password").send().await.session().unwrap();
    let made = api.post("/api/v1/tokens").cookie(&cookie).json(&json!({"name": "x", "scopes": ["read"]})).send().await;
    let text = made.json()["token"].as_str().unwrap().to_owned();
    api.host.pass(2 * MINUTE);
    api.lose_the_store();
    for call in [
        api.get(CLUSTERS).cookie(&cookie),
        api.get(CLUSTERS).bearer(&text),
        api.get(CLUSTERS).credentials("alice:first password"),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert!(answer.error().contains("the records of who may enter cannot be read"));
    }
}
