//! Guessed passwords: bounded by user and by peer, seen and lifted by admins; and nobody is locked out by others' guesses.

use faregate_auth::Method;
use faregate_auth::access::Access;
use faregate_auth::methods::basic::Basic;
use faregate_auth::methods::tokens::Tokens;
use faregate_gateway::admin::Act;
use faregate_tests::api::{Answer, Api, Methods, Setup};
use serde_json::{Value, json};
use std::sync::Arc;

const CLUSTERS: &str = "/api/v1/clusters/";
const MINUTE: i64 = 60_000;
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

fn setup() -> Setup {
    let methods = |access: &Arc<Access>| -> Vec<Box<dyn Method>> {
        let (passwords, tokens) = (Basic::own(access.clone()), Tokens { access: access.clone() });
        vec![Box::new(passwords), Box::new(tokens)]
    };
    let methods: Methods = Box::new(methods);
    Setup { methods: Some(methods), ..Setup::default() }
}

async fn with_passwords() -> Api {
    let api = Api::with(setup()).await;
    for user in ["alice", "bob", "root"] {
        let act = Act::new("command line: carol", None).unwrap();
        api.access.add_user(&act, user, &format!("{user}s password")).await.unwrap();
    }
    api
}

async fn sign_in(api: &Api, credentials: &str, peer: &str) -> Answer {
    api.get(CLUSTERS).credentials(credentials).from(peer).send().await
}

async fn status(api: &Api, credentials: &str, peer: &str) -> u16 {
    sign_in(api, credentials, peer).await.status.as_u16()
}

/// Wrong passwords, until they are not looked at any more. How many were.
async fn guess(api: &Api, user: &str, peer: &str) -> usize {
    for n in 0..100 {
        match status(api, &format!("{user}:guess {n}"), peer).await {
            401 => {}
            429 => return n,
            other => panic!("{other}"),
        }
    }
    panic!("nobody stops it")
}

#[tokio::test]
async fn guesses_have_an_end_and_are_told_so() {
    let api = with_passwords().await;
    assert_eq!(guess(&api, "alice", ELSEWHERE).await, 5);
    let refused = sign_in(&api, "alice:alices password", ELSEWHERE).await;
    assert_eq!((refused.status.as_u16(), refused.headers["retry-after"].to_str().unwrap()), (429, "121"));
    assert!(refused.error().contains("try again in 121 s"), "{}", refused.error());
    assert!(refused.session().is_none() && !refused.headers.contains_key("www-authenticate"));
    // from where she is nobody has failed, and a session is none of this
    let cookie = sign_in(&api, "alice:alices password", HOME).await.session().unwrap();
    assert_eq!(api.get(CLUSTERS).cookie(&cookie).from(ELSEWHERE).send().await.status, 200);
    api.host.pass(2 * MINUTE);
    assert_eq!(status(&api, "alice:alices password", ELSEWHERE).await, 200, "and it passes");
}

#[tokio::test]
async fn made_up_users_lock_out_nobody_who_has_been_there_before() {
    let api = with_passwords().await;
    assert_eq!(status(&api, "bob:bobs password", HOME).await, 200);
    let mut looked_at = 0;
    for n in 0..100 {
        looked_at += usize::from(status(&api, &format!("nobody{n}:x"), HOME).await == 401);
    }
    assert_eq!(looked_at, 20);
    assert_eq!(status(&api, "bob:bobs password", HOME).await, 200);
    assert_eq!(status(&api, "alice:alices password", HOME).await, 429, "she comes from there for the first time");
    assert_eq!(status(&api, "alice:alices password", ELSEWHERE).await, 200);
}

#[tokio::test]
async fn a_shared_password_is_guessed_no_faster() {
    let api = Api::with(Setup { password: Some("shared".into()), ..Setup::default() }).await;
    let mut looked_at = 0;
    for n in 0..100 {
        looked_at += usize::from(status(&api, &format!("user{n}:guess {n}"), ELSEWHERE).await == 401);
    }
    assert_eq!(looked_at, 20);
    assert_eq!(status(&api, "alice:shared", HOME).await, 200);
}

#[tokio::test]
async fn tokens_are_too_long_to_be_guessed() {
    let api = with_passwords().await;
    for n in 0..60 {
        let made_up = format!("fgt_{n:016x}_{}", "0".repeat(64));
        assert_eq!(status(&api, &format!("alice:{made_up}"), ELSEWHERE).await, 401, "{n}");
    }
    assert_eq!(status(&api, "alice:alices password", ELSEWHERE).await, 200);
}

async fn blocks(api: &Api) -> Vec<Value> {
    let answer = api.get("/api/v1/admin/blocks").credentials("root:roots password").from(HOME).send().await;
    answer.json()["blocks"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_admin_sees_and_lifts_blocks_on_record() {
    let api = with_passwords().await;
    assert_eq!(blocks(&api).await, Vec::<Value>::new());
    guess(&api, "alice", ELSEWHERE).await;
    let now = api.gateway.now();
    let row = json!({"user": "alice", "peer": ELSEWHERE, "failures": 5, "last_at": now, "until": now + 2 * MINUTE});
    assert_eq!(blocks(&api).await, [row]);
    let lift = async |query: &str| {
        let call = api.delete(&format!("/api/v1/admin/blocks?{query}"));
        call.credentials("root:roots password").from(HOME).send().await
    };
    assert_eq!(lift("user=bob").await.json(), json!({"lifted": 0}));
    assert_eq!(status(&api, "alice:alices password", ELSEWHERE).await, 429);
    assert_eq!(lift("user=alice&why=she+called").await.json(), json!({"lifted": 1}));
    assert_eq!(blocks(&api).await, Vec::<Value>::new());
    assert_eq!(status(&api, "alice:alices password", ELSEWHERE).await, 200);
    assert_eq!(lift("why=x").await.status, 422);
    let refused = api.get("/api/v1/admin/blocks").credentials("bob:bobs password").from(HOME).send().await;
    assert_eq!(refused.status, 403);
    let audit = api.get("/api/v1/admin/audit").credentials("root:roots password").from(HOME).send().await.json();
    let lifts = audit["audit"].as_array().unwrap().iter().filter(|entry| entry["action"] == "lift-block");
    let mut lifts: Vec<Value> = lifts.map(|entry| json!([entry["who"], entry["target"], entry["why"]])).collect();
    lifts.sort_by_key(Value::to_string);
    assert_eq!(lifts, [json!(["root", "user:alice", "she called"]), json!(["root", "user:bob", null])]);
}

#[tokio::test]
async fn a_block_that_another_process_lifts_is_seen_within_seconds() {
    let api = with_passwords().await;
    guess(&api, "alice", ELSEWHERE).await;
    let other = Access::new(api.store.clone(), api.host.clone());
    assert_eq!(other.blocks().await.unwrap().len(), 1);
    let act = Act::new("command line: carol", None).unwrap();
    assert_eq!(other.lift(&act, None, Some(ELSEWHERE)).await.unwrap(), 1);
    api.host.pass(2_000);
    assert_eq!(status(&api, "alice:alices password", ELSEWHERE).await, 200);
}

#[tokio::test]
async fn what_fails_at_several_processes_adds_up() {
    let api = with_passwords().await;
    let other = api.beside(setup()).await;
    let mut looked_at = 0;
    for n in 0..40 {
        let api = if n % 2 == 0 { &api } else { &other };
        looked_at += usize::from(status(api, &format!("nobody{n}:x"), ELSEWHERE).await == 401);
    }
    assert!((20..=22).contains(&looked_at), "{looked_at}");
}

#[tokio::test]
async fn the_next_process_knows_what_has_failed() {
    let api = with_passwords().await;
    assert_eq!(guess(&api, "alice", ELSEWHERE).await, 5);
    let next = api.beside(setup()).await;
    assert_eq!(guess(&next, "alice", ELSEWHERE).await, 1, "one fails, and then what is on record counts");
}

#[tokio::test]
async fn a_password_that_was_right_is_not_hashed_each_time_and_a_changed_one_is_out_at_once() {
    let api = with_passwords().await;
    let clock = std::time::Instant::now();
    assert_eq!(status(&api, "alice:alices password", HOME).await, 200);
    let first = clock.elapsed();
    let clock = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(status(&api, "alice:alices password", HOME).await, 200);
    }
    let more = clock.elapsed();
    println!("the first {first:?}, twenty more {more:?}");
    let act = Act::new("command line: carol", None).unwrap();
    api.access.set_password(&act, "alice", "another password").await.unwrap();
    assert_eq!(status(&api, "alice:alices password", HOME).await, 401);
    assert_eq!(status(&api, "alice:another password", HOME).await, 200);
}
