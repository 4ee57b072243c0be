//! Money: what users see of their spending, and what a spent budget refuses.

use faregate_core::model::{ClusterName, Limits, Policy, Prices, Rates};
use faregate_tests::api::{Answer, Api, Setup};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const HOUR: i64 = 3_600_000;

/// A vCPU-hour costs a dollar, a GiB-hour a tenth: a task of one core with 2 GiB costs 1.20 USD an hour.
async fn api() -> Api {
    let default = Rates { vcpu_hour: 1.0, gib_hour: 0.1, ..Rates::default() };
    let policy = Policy { prices: Prices { default, ..Prices::default() }, ..Policy::default() };
    Api::with(Setup { policy, ..Setup::default() }).await
}

async fn budget(api: &Api, usd: f64) {
    api.limit("user:alice", Limits { budget: Some(usd), ..Limits::default() }).await;
}

async fn usage(api: &Api, query: &str) -> Answer {
    api.get(&format!("/api/v1/usage{query}")).basic("alice").send().await
}

async fn post(api: &Api, path: &str, body: Value) -> Answer {
    api.post(path).basic("alice").json(&body).send().await
}

async fn explain(api: &Api, name: &ClusterName) -> Value {
    api.get(&format!("/api/v1/clusters/{name}/explain")).basic("alice").send().await.json()
}

fn hours(of: &Value) -> (f64, f64, f64) {
    let number = |key: &str| (of[key].as_f64().unwrap() * 1e6).round() / 1e6;
    (number("vcpu_hours"), number("gib_hours"), number("usd"))
}

#[tokio::test]
async fn what_runs_is_counted_now_and_what_has_ended_once() {
    let api = api().await;
    let (first, second) = (api.running("alice").await, api.running("alice").await);
    api.want(&first, 2).await;
    api.host.pass(HOUR);
    let seen = usage(&api, "").await;
    assert_eq!(seen.status, 200);
    let seen = seen.json();
    assert_eq!((&seen["month"], &seen["user"], &seen["budget"]), (&json!("2027-01"), &json!("alice"), &Value::Null));
    assert_eq!(hours(&seen["clusters"][first.as_str()]), (3.0, 6.0, 3.6));
    assert_eq!(hours(&seen["clusters"][second.as_str()]), (1.0, 2.0, 1.2));
    assert_eq!(hours(&seen["total"]), (4.0, 8.0, 4.8));
    assert_eq!(seen["clusters"][first.as_str()]["running"], true);
    assert_eq!(seen["total"]["spot_vcpu_hours"], 0.0);
    // the same when it has ended, but for what its tasks lived since
    *api.launcher.lives_ms.lock().unwrap() = HOUR;
    api.end("alice", &first).await;
    api.host.pass(2 * api.gateway.policy().max_call_ms + 1);
    api.turn(&first).await;
    let seen = usage(&api, "?month=2027-01").await.json();
    assert_eq!(hours(&seen["clusters"][first.as_str()]), (3.0, 6.0, 3.6));
    assert_eq!(seen["clusters"][first.as_str()]["running"], false);
    // in another month there is nothing
    let seen = usage(&api, "?month=2026-12").await.json();
    assert_eq!((&seen["clusters"], hours(&seen["total"])), (&json!({}), (0.0, 0.0, 0.0)));
}

#[tokio::test]
async fn a_month_ends_at_midnight_utc() {
    let api = api().await;
    let name = api.running("alice").await;
    // 2027-01-15 08:00: the month has 16 days and 16 hours left
    api.host.pass((16 * 24 + 16) * HOUR + 6 * HOUR);
    let january = usage(&api, "?month=2027-01").await.json();
    let february = usage(&api, "").await.json();
    assert_eq!(hours(&january["total"]).0, 400.0);
    assert_eq!((&february["month"], hours(&february["clusters"][name.as_str()]).0), (&json!("2027-02"), 6.0));
}

#[tokio::test]
async fn a_bad_month_is_refused() {
    let api = api().await;
    for query in ["?month=", "?month=January", "?month=2027-13"] {
        let refused = usage(&api, query).await;
        assert_eq!(refused.status, 422);
        assert!(refused.error().ends_with("is no month: write year and month, as in `2026-11`"));
    }
    assert_eq!(api.get("/api/v1/usage/").send().await.status, 401);
}

#[tokio::test]
async fn a_spent_budget_starts_nothing_new_and_lets_go_of_what_there_is() {
    let api = api().await;
    budget(&api, 3.0).await;
    let name = api.running("alice").await;
    api.want(&name, 1).await;
    api.host.pass(HOUR);
    assert_eq!(post(&api, "/api/v1/clusters/", json!({})).await.status, 201, "2.40 of 3 USD");
    api.host.pass(HOUR);
    let refused = post(&api, "/api/v1/clusters/", json!({})).await;
    assert_eq!(refused.status, 422);
    let sentence = refused.error();
    assert_snapshot!(sentence, @"the limit `budget` = 3 USD of user:alice is spent: 4.80 USD used by user:alice in 2027-01; nothing new starts until the month ends, on 2027-02-01 (UTC)");
    // more workers are refused, fewer never
    let path = format!("/api/v1/clusters/{name}/scale");
    let refused = post(&api, &path, json!({"count": 2})).await;
    assert_eq!((refused.status.as_u16(), refused.error()), (422, sentence.clone()));
    let adapt = format!("/api/v1/clusters/{name}/adapt");
    assert_eq!(post(&api, &adapt, json!({"minimum": 2, "maximum": 3})).await.error(), sentence);
    for (path, body) in [
        (&path, json!({"count": 1})),
        (&path, json!({"count": 0})),
        (&adapt, json!({"minimum": 0, "maximum": 3})),
        (&adapt, json!({"minimum": 2, "active": false})),
    ] {
        assert_eq!(post(&api, path, body).await.json(), json!({"ok": true, "msg": null}));
    }
    // what the scheduler asks for by itself is not started, and says why
    api.want(&name, 3).await;
    let explained = explain(&api, &name).await;
    assert_eq!((&explained["workers"]["wanted"], &explained["workers"]["running"]), (&json!(3), &json!(1)));
    assert_eq!(explained["waiting"]["code"], "budget");
    assert_eq!(explained["held_by"][0]["limit"], "budget");
    assert_eq!(explained["held_by"][0]["from"], "user:alice");
    let limits = api.get("/api/v1/limits").basic("alice").send().await.json();
    assert_eq!((&limits["limits"]["budget"]["limit"], &limits["limits"]["budget"]["left"]), (&json!(3.0), &json!(0.0)));
    assert_eq!(usage(&api, "").await.json()["budget"], limits["limits"]["budget"]);
}

#[tokio::test]
async fn a_new_month_and_a_larger_budget_each_start_what_waited() {
    for larger in [false, true] {
        let api = api().await;
        budget(&api, 450.0).await;
        let name = api.running("alice").await;
        api.host.pass(376 * HOUR);
        api.want(&name, 1).await;
        assert_eq!(explain(&api, &name).await["workers"]["running"], 0, "451.20 of 450 USD");
        if larger {
            budget(&api, 1000.0).await;
        } else {
            api.host.pass(30 * HOUR);
        }
        api.host.pass(api.gateway.policy().room_retry_ms + 1);
        api.want(&name, 1).await;
        assert_eq!(explain(&api, &name).await["workers"]["running"], 1);
        assert_eq!(post(&api, "/api/v1/clusters/", json!({})).await.status, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_tasks_settle_their_cost_is_neither_lost_nor_counted_twice() {
    let api = Arc::new(api().await);
    let name = api.running("alice").await;
    api.want(&name, 60).await;
    api.host.pass(HOUR);
    *api.launcher.lives_ms.lock().unwrap() = HOUR;
    // an hour of 61 tasks; the few seconds that pass below cost far less than one task's hour
    let whole = 61.0 * 1.2;
    let (done, watched) = (Arc::new(AtomicBool::new(false)), api.clone());
    let watcher = tokio::spawn({
        let done = done.clone();
        async move {
            let mut looks = 0;
            while !done.load(Ordering::SeqCst) || looks == 0 {
                let usd = usage(&watched, "").await.json()["total"]["usd"].as_f64().unwrap();
                assert!((usd - whole).abs() < 0.6, "{usd} USD instead of {whole}");
                looks += 1;
            }
            looks
        }
    });
    api.end("alice", &name).await;
    done.store(true, Ordering::SeqCst);
    assert!(watcher.await.unwrap() > 0);
    let usd = usage(&api, "").await.json()["total"]["usd"].as_f64().unwrap();
    assert!((usd - whole).abs() < 0.001, "{usd} USD instead of {whole}");
}
