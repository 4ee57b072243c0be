//! Machine tokens: made, used, refused, revoked.

use crate::passwords::act;
use faregate_auth::access::Access;
use faregate_core::model::{Limits, Scope};
use faregate_core::ports::Once;
use faregate_tests::api::{Answer, Api, Call, Setup};
use serde_json::{Value, json};

pub const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

async fn make(api: &Api, user: &str, body: Value) -> Answer {
    api.post("/api/v1/tokens").basic(user).json(&body).send().await
}

/// A new token of a user's: its text and its id.
pub async fn token(api: &Api, user: &str, scopes: &[&str]) -> (String, String) {
    let made = make(api, user, json!({"name": "nightly", "scopes": scopes})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let word = |key: &str| made.json()[key].as_str().unwrap().to_owned();
    (word("token"), word("id"))
}

pub async fn status(call: Call) -> u16 {
    call.send().await.status.as_u16()
}

pub const CLUSTERS: &str = "/api/v1/clusters/";

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
