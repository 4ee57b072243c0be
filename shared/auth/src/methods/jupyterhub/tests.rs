//! Tokens of a hub in every mood.

use super::hub::PATIENCE;
use super::*;
use crate::stub::{Reply, Stub, nobody};
use faregate_core::model::Role;
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const NOW: Ms = 1_800_000_000_000;
const USER: &str = "/hub/api/user";

struct Scene {
    hub: Stub,
    method: JupyterHub,
}

impl Scene {
    async fn new(answer: Value) -> Scene {
        Scene::with(json!({}), Reply::Json(answer)).await
    }

    async fn with(more: Value, reply: Reply) -> Scene {
        let hub = Stub::start().await;
        hub.says(USER, reply);
        let method = method(&format!("{}/hub/api/", hub.url), more);
        Scene { hub, method }
    }

    async fn enters(&self, token: &str, now: Ms) -> Result<Authenticated, AuthError> {
        self.method.authenticate(&Presented::JupyterHub(token.to_owned()), &Peer::default(), now).await
    }
}

fn method(api_url: &str, more: Value) -> JupyterHub {
    let mut config = json!({"api_url": api_url});
    more.as_object().unwrap().iter().for_each(|(name, value)| config[name] = value.clone());
    JupyterHub::new(serde_json::from_value(config).unwrap(), Arc::default()).unwrap()
}

fn alice() -> Value {
    json!({"name": "alice", "kind": "user", "admin": false, "groups": ["b", "a"], "scopes": ["self"], "servers": {}})
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = alice();
    answer[name] = value;
    answer
}

fn is_denied(result: &Result<Authenticated, AuthError>) -> bool {
    matches!(result, Err(AuthError::Denied(_)))
}

fn is_unavailable(result: &Result<Authenticated, AuthError>) -> bool {
    matches!(result, Err(AuthError::Unavailable(sentence)) if sentence.contains("try again"))
}

#[tokio::test]
async fn the_hub_says_who_it_is() {
    let scene = Scene::new(alice()).await;
    let who = scene.enters("abc", NOW).await.unwrap().who;
    assert_eq!((who.name.as_str(), who.role, who.method.as_str()), ("alice", Role::User, "jupyterhub"));
    assert_eq!(who.groups, ["a", "b"]);
    assert_eq!(scene.hub.shown(USER).as_deref(), Some("token abc"));
    let scene = Scene::new(with("admin", json!(true))).await;
    assert_eq!(scene.enters("abc", NOW).await.unwrap().who.role, Role::Admin);
}

#[tokio::test]
async fn services_are_told_from_users() {
    for (answer, name) in [
        (json!({"name": "cron", "kind": "service", "admin": false}), "service:cron"),
        (with("name", json!("service:cron")), "user:service:cron"),
        (with("name", json!("andre\u{301}")), "andr\u{e9}"),
    ] {
        assert_eq!(Scene::new(answer).await.enters("abc", NOW).await.unwrap().who.name, name);
    }
    for name in ["", "a\nb", &"a".repeat(200)] {
        assert!(is_denied(&Scene::new(with("name", json!(name))).await.enters("abc", NOW).await), "{name:?}");
    }
}

#[tokio::test]
async fn a_token_needs_the_scope_of_the_service_when_it_has_a_name() {
    for (scopes, enters) in [
        (json!(["access:services!service=dask-gateway", "read:users:name!user=alice"]), true),
        (json!(["access:services"]), true),
        (json!(["access:services!service=dask"]), false),
        (json!(["access:services!service=dask-gateway2"]), false),
        (json!(["access:servers", "self", "services"]), false),
        (json!([]), false),
    ] {
        let answer = Reply::Json(with("scopes", scopes.clone()));
        let scene = Scene::with(json!({"service_name": "dask-gateway"}), answer).await;
        assert_eq!(scene.enters("abc", NOW).await.is_ok(), enters, "{scopes}");
    }
}

#[tokio::test]
async fn groups_that_a_token_may_not_read_are_read_with_the_gateways_own() {
    let answer = Reply::Json(json!({"name": "al ice", "kind": "user", "scopes": []}));
    let scene = Scene::with(json!({"api_token": "own"}), answer.clone()).await;
    scene.hub.says(
        "/hub/api/users/al%20ice",
        Reply::Json(json!({"name": "al ice", "kind": "user", "groups": ["g"], "admin": true})),
    );
    let who = scene.enters("abc", NOW).await.unwrap().who;
    assert_eq!((who.groups, who.role), (vec!["g".to_owned()], Role::User), "a narrow token is no admin's");
    assert_eq!(scene.hub.shown("/hub/api/users/al%20ice").as_deref(), Some("token own"));
    let scene = Scene::with(json!({"api_token": "own"}), answer.clone()).await;
    assert!(scene.enters("abc", NOW).await.unwrap().who.groups.is_empty(), "it may not read them either");
    let scene = Scene::with(json!({}), answer).await;
    assert_eq!(scene.enters("abc", NOW).await.unwrap().who.role, Role::User);
}

#[tokio::test]
async fn no_token_costs_the_hub_more_than_a_question_a_minute() {
    for reply in [Reply::Json(alice()), Reply::Text(403, String::new()), Reply::Text(404, String::new())] {
        let scene = Scene::with(json!({}), reply).await;
        let first = scene.enters("abc", NOW).await;
        for n in 0..20 {
            assert_eq!(scene.enters("abc", NOW + n * 2_999).await, first);
        }
        assert_eq!(scene.hub.asked(USER), 1);
        scene.hub.says(USER, Reply::Json(with("name", json!("bob"))));
        assert_eq!(scene.enters("abc", NOW + 60_000).await.unwrap().who.name, "bob");
        assert_eq!(scene.enters("other", NOW).await.unwrap().who.name, "bob");
        assert_eq!(scene.hub.asked(USER), 3);
    }
}

#[tokio::test]
async fn many_at_once_are_one_question() {
    let scene = Scene::new(alice()).await;
    assert!(join_all((0..50).map(|_| scene.enters("abc", NOW))).await.iter().all(Result::is_ok));
    assert_eq!(scene.hub.asked(USER), 1);
}

#[tokio::test]
async fn callers_who_leave_do_not_make_the_hub_be_asked_again() {
    let scene = Scene::new(alice()).await;
    let leaves = || timeout(Duration::ZERO, scene.enters("abc", NOW));
    assert!(leaves().await.is_err(), "there was no answer yet");
    for _ in 0..10 {
        let _ = leaves().await;
    }
    assert!(scene.enters("abc", NOW).await.is_ok());
    assert_eq!(scene.hub.asked(USER), 1);
}

#[tokio::test]
async fn what_cannot_be_a_token_is_not_sent() {
    let scene = Scene::new(alice()).await;
    for bad in ["", "a b", "a\r\nHost: x", "\u{e9}", &"a".repeat(2000)] {
        assert!(is_denied(&scene.enters(bad, NOW).await), "{bad:?}");
    }
    assert_eq!(scene.hub.asked(USER), 0);
}

#[tokio::test]
async fn a_short_outage_is_waited_out() {
    let scene = Scene::with(json!({}), Reply::Text(503, String::new())).await;
    let recovers = async {
        while scene.hub.asked(USER) < 2 {
            tokio::task::yield_now().await;
        }
        scene.hub.says(USER, Reply::Json(alice()));
    };
    let (entered, ()) = tokio::join!(scene.enters("abc", NOW), recovers);
    assert_eq!(entered.unwrap().who.name, "alice");
}

#[tokio::test]
async fn a_hub_out_of_order_is_a_sentence_and_is_not_asked_by_everybody_in_turn() {
    let scene = Scene::with(json!({}), Reply::Text(502, String::new())).await;
    let entered = join_all((0..20).map(|_| scene.enters("abc", NOW))).await;
    assert!(entered.iter().all(is_unavailable));
    let asked = scene.hub.asked(USER);
    assert!((2..=8).contains(&asked), "{asked}");
    assert!(is_unavailable(&scene.enters("abc", NOW + 9_999).await));
    assert_eq!(scene.hub.asked(USER), asked);
    scene.hub.says(USER, Reply::Json(alice()));
    assert!(scene.enters("abc", NOW + 10_000).await.is_ok());
}

#[tokio::test]
async fn what_is_no_answer_of_a_hub_is_none() {
    for reply in [
        Reply::Text(200, "<html>".into()),
        Reply::Json(json!({"name": "alice"})),
        Reply::Json(json!({"name": 7, "kind": "user"})),
        Reply::Json(json!([])),
        Reply::Json(with("groups", json!("x"))),
        Reply::Redirect("/hub/page".into()),
        Reply::Redirect("http://127.0.0.1:1/hub/api/user".into()),
        Reply::Text(400, String::new()),
        Reply::Text(429, String::new()),
    ] {
        let scene = Scene::with(json!({}), reply).await;
        scene.hub.says("/hub/page", Reply::Text(200, "<html>".into()));
        assert!(is_unavailable(&scene.enters("abc", NOW).await));
        assert_eq!(scene.hub.asked(USER), 1, "it is up: asking again at once is of no use");
    }
}

#[tokio::test]
async fn redirects_of_the_hub_are_followed_within_its_origin() {
    let scene = Scene::with(json!({"api_token": "own"}), Reply::Redirect("/deep/er/user".into())).await;
    let narrow = json!({"name": "alice", "kind": "user", "scopes": []});
    for (at, to) in [("/deep/er/user", "../user"), ("/deep/user", &format!("{}/user?x=1", scene.hub.url))] {
        scene.hub.says(at, Reply::Redirect(to.into()));
    }
    // `..` is the hub's to resolve
    scene.hub.says("/deep/er/../user", Reply::Redirect("/deep/user".into()));
    scene.hub.says("/user", Reply::Json(narrow));
    scene.hub.says("/hub/api/users/alice", Reply::Redirect("/users/alice".into()));
    scene.hub.says("/users/alice", Reply::Json(json!({"name": "alice", "kind": "user", "groups": ["g"]})));
    let who = scene.enters("abc", NOW).await.unwrap().who;
    assert_eq!((who.name.as_str(), who.groups), ("alice", vec!["g".to_owned()]));
    assert_eq!(scene.hub.shown("/user").as_deref(), Some("token abc"));
    assert_eq!(scene.hub.shown("/users/alice").as_deref(), Some("token own"));
}

#[tokio::test]
async fn a_token_is_never_sent_to_another_origin_nor_round_in_circles() {
    let other = Stub::start().await;
    other.says("/user", Reply::Json(alice()));
    let scene = Scene::with(json!({}), Reply::Redirect(format!("{}/user", other.url))).await;
    assert!(is_unavailable(&scene.enters("abc", NOW).await));
    assert_eq!(other.asked("/user"), 0);
    let scene = Scene::with(json!({}), Reply::Redirect(USER.into())).await;
    assert!(is_unavailable(&scene.enters("abc", NOW).await));
    assert_eq!(scene.hub.asked(USER), 11, "the first, and ten redirects");
}

#[tokio::test]
async fn the_hub_makes_nobody_a_member_of_a_tokens_group() {
    let scene = Scene::new(with("groups", json!(["token:0123456789abcdef", "token:", "tokens"]))).await;
    assert_eq!(scene.enters("abc", NOW).await.unwrap().who.groups, ["tokens"]);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_gone_or_never_answers_is_waited_for_five_seconds_at_most() {
    let silent = Scene::with(json!({}), Reply::Silence).await;
    let gone = method(&format!("{}/hub/api", nobody().await), json!({}));
    for method in [&silent.method, &gone] {
        let begun = Instant::now();
        assert!(is_unavailable(
            &method.authenticate(&Presented::JupyterHub("abc".into()), &Peer::default(), NOW).await
        ));
        assert!(begun.elapsed() <= PATIENCE, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn made_up_tokens_are_so_many_questions_at_once_and_the_rest_is_told_so() {
    let scene = Scene::new(alice()).await;
    assert!(scene.enters("good", NOW).await.is_ok());
    scene.hub.says(USER, Reply::Silence);
    let names: Vec<String> = (0..QUESTIONS).map(|n| format!("made-up-{n}")).collect();
    let mut asking: Vec<_> = names.iter().map(|name| Box::pin(scene.enters(name, NOW))).collect();
    for ask in &mut asking {
        assert!(timeout(Duration::ZERO, ask).await.is_err());
    }
    while scene.hub.asked(USER) < 1 + QUESTIONS {
        tokio::task::yield_now().await;
    }
    for n in 0..50 {
        let refused = scene.enters(&format!("more-{n}"), NOW).await;
        assert!(
            matches!(&refused, Err(AuthError::TooMany { sentence, .. }) if sentence.contains("try again")),
            "{refused:?}"
        );
    }
    assert_eq!(scene.hub.asked(USER), 1 + QUESTIONS);
    // whoever was let in is asked about all the same, and what was not asked is not remembered
    scene.hub.says(USER, Reply::Json(alice()));
    assert!(scene.enters("good", NOW + REMEMBERED_MS).await.is_ok());
    drop(asking);
    scene.hub.close();
    while scene.method.questions.available_permits() < QUESTIONS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_remembered_has_a_bound() {
    let scene = Scene::with(json!({}), Reply::Text(403, String::new())).await;
    for n in 0..MOST_REMEMBERED + 10 {
        scene.method.asked(hash(&format!("token-{n}")), NOW);
    }
    assert!(scene.method.asked.lock().unwrap().len() <= MOST_REMEMBERED);
}

#[test]
fn what_cannot_be_configured_names_its_field() {
    for (field, value) in [
        ("api_url", json!("")),
        ("api_url", json!("hub.example/hub/api")),
        ("api_token", json!("")),
        ("api_token", json!("a b")),
        ("service_name", json!("")),
    ] {
        let mut config = json!({"api_url": "https://hub.example/hub/api"});
        config[field] = value;
        let config: Config = serde_json::from_value(config).unwrap();
        let message = config.check().unwrap_err().to_string();
        assert!(message.starts_with(&format!("`auth.jupyterhub.{field}` ")), "{message}");
    }
}
