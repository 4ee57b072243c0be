//! How fast clusters are created, how many ended ones are kept, and what is counted in the write.

use faregate_auth::access::{Access, By, NewToken};
use faregate_core::model::{Month, Policy, Status, TokenScope};
use faregate_core::ports::Store;
use faregate_gateway::admin::Act;
use faregate_tests::api::{Api, Setup};
use futures::future::join_all;
use serde_json::json;

const CLUSTERS: &str = "/api/v1/clusters/";

fn paced() -> Setup {
    let policy = Policy { create_burst: 3, create_interval_ms: 10_000, ..Policy::default() };
    Setup { policy, ..Setup::default() }
}

async fn create(api: &Api, user: &str) -> (u16, String) {
    let answer = api.post(CLUSTERS).basic(user).json(&json!({})).send().await;
    let said = if answer.status == 201 { String::new() } else { answer.error() };
    (answer.status.as_u16(), said)
}

#[tokio::test]
async fn a_user_creates_a_burst_and_then_one_in_each_interval() {
    let api = Api::with(paced()).await;
    for _ in 0..3 {
        assert_eq!(create(&api, "alice").await.0, 201);
    }
    let before = api.everything_stored();
    for _ in 0..50 {
        let (status, sentence) = create(&api, "alice").await;
        let expected = "user:alice creates clusters faster than `create_burst` = 3 at once, and then one every \
                        `create_interval` = 10 s; try again in 11 s";
        assert_eq!((status, sentence.as_str()), (409, expected));
    }
    assert_eq!(api.everything_stored(), before, "what is refused leaves nothing");
    assert_eq!(create(&api, "bob").await.0, 201, "another's");
    api.host.pass(9_999);
    assert!(create(&api, "alice").await.1.ends_with("try again in 1 s"));
    api.host.pass(1);
    assert_eq!([create(&api, "alice").await.0, create(&api, "alice").await.0], [201, 409]);
}

#[tokio::test]
async fn what_is_deleted_again_counts_and_so_does_what_came_at_once() {
    let api = Api::with(paced()).await;
    let name = api.create("alice").await;
    api.end("alice", &name).await;
    let at_once = join_all((0..20).map(|_| create(&api, "alice"))).await;
    let created = at_once.iter().filter(|(status, _)| *status == 201).count();
    assert!(at_once.iter().all(|(status, _)| [201, 409].contains(status)), "{at_once:?}");
    // waiting for it to come to rest has paid for none yet
    assert!((2..=3).contains(&created), "{created}");
}

#[tokio::test]
async fn another_process_keeps_the_same_pace() {
    let api = Api::with(paced()).await;
    let other = api.beside(paced()).await;
    let mut created = 0;
    for n in 0..10 {
        created += usize::from(create(if n % 2 == 0 { &api } else { &other }, "alice").await.0 == 201);
    }
    assert_eq!(created, 3);
}

#[tokio::test]
async fn the_oldest_ended_clusters_are_forgotten_but_not_what_they_cost() {
    let policy = Policy { keep_records: 3, ..Policy::default() };
    let api = Api::with(Setup { policy, ..Setup::default() }).await;
    *api.launcher.lives_ms.lock().unwrap() = 60_000;
    let mut names = Vec::new();
    for _ in 0..6 {
        let name = api.running("alice").await;
        api.end("alice", &name).await;
        api.host.pass(2 * api.gateway.policy().max_call_ms);
        api.turn(&name).await;
        names.push(name);
    }
    names.push(api.running("alice").await);
    let listed = async || {
        let answer = api.get("/api/v1/clusters/?status=stopped,running").basic("alice").send().await.json();
        answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let all: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(listed().await, all);
    let month = Month::of(api.gateway.now());
    let cost = api.gateway.context.spent("alice", month).await.unwrap();
    assert!(!cost.clusters[&names[0]].total().is_zero());

    // not before all that may still be learned of them is
    api.host.pass(api.gateway.policy().grace_period_ms);
    api.enforcer.recount("alice").await.unwrap();
    api.host.pass(1);
    assert!(api.store.forget_expired(api.gateway.now()).await.unwrap() > 0);
    assert_eq!(listed().await, all[3..], "three ended ones, and the one that runs");
    assert_eq!(api.store.children(&names[0]).await.unwrap(), Default::default(), "nothing is left of the others");
    let after = api.gateway.context.spent("alice", month).await.unwrap();
    assert_eq!(after.clusters[&names[0]], cost.clusters[&names[0]]);
    api.enforcer.recount("alice").await.unwrap();
    assert_eq!(listed().await, all[3..]);
    assert_eq!(api.store.cluster(&names[6]).await.unwrap().unwrap().value.status, Status::Running);
}

#[tokio::test]
async fn of_tokens_made_at_once_no_more_than_a_hundred_are_made() {
    let api = Api::new().await;
    let act = Act::new("command line: carol", None).unwrap();
    let new = |n: usize| NewToken {
        user: "alice".into(),
        name: format!("t{n}"),
        groups: Vec::new(),
        scopes: [TokenScope::Read].into(),
        life_ms: None,
    };
    for n in 0..98 {
        api.access.make_token(By::Admin(&act), new(n)).await.unwrap();
    }
    // several processes, each of which has counted 98
    let others: Vec<Access> = (0..8).map(|_| Access::new(api.store.clone(), api.host.clone())).collect();
    let made = join_all(others.iter().map(|access| access.make_token(By::Admin(&act), new(0)))).await;
    let (good, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    let said: Vec<String> = refused.into_iter().filter_map(|refused| refused.err()).map(|e| e.to_string()).collect();
    assert_eq!((good.len(), api.access.tokens(Some("alice")).await.unwrap().len()), (2, 100), "{said:?}");
    assert!(
        said.iter().all(|said| said.contains("at most 100 tokens") || said.contains("at the same time")),
        "{said:?}"
    );
}
