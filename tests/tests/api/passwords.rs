//! Passwords of users' own: made, used, changed; and the sessions that began with them.

use crate::tokens::{CLUSTERS, MINUTE, status};
use faregate_auth::Method;
use faregate_auth::access::Access;
use faregate_auth::methods::basic::Basic;
use faregate_auth::methods::tokens::Tokens;
use faregate_gateway::admin::Act;
use faregate_tests::api::{Api, Methods, Setup};
use serde_json::json;
use std::sync::Arc;

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
