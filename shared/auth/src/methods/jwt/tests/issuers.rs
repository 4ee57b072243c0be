//! Issuers that change their keys, that are slow, that are gone, and floods of tokens meanwhile.

use super::*;
use crate::stub::nobody;
use futures::future::join_all;

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let mut scene = Scene::new().await;
    let old = scene.token();
    assert!(scene.enters(&old, NOW).await.is_ok());
    scene.key = Signer::ec("k2");
    scene.issuer.says(KEYS, published(&[&scene.key]));
    assert!(is_denied(&scene.enters(&scene.token(), NOW + MINUTE - 1).await), "asked less than a minute ago");
    assert!(scene.enters(&scene.token(), NOW + MINUTE).await.is_ok());
    assert!(is_denied(&scene.enters(&old, NOW + MINUTE).await), "the old key is withdrawn");
    assert_eq!(scene.asked(), (1, 2), "where the keys are was known");
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_within_the_hour() {
    let scene = Scene::new().await;
    let token = scene.token();
    assert!(scene.enters(&token, NOW).await.is_ok());
    scene.issuer.says(KEYS, published(&[&Signer::ec("k2")]));
    assert!(scene.enters(&token, NOW + 60 * MINUTE - 1).await.is_ok());
    assert!(is_denied(&scene.enters(&token, NOW + 60 * MINUTE).await));
    assert_eq!(scene.asked(), (2, 2));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_one_call_a_minute() {
    let scene = Scene::new().await;
    assert!(scene.enters(&scene.token(), NOW).await.is_ok());
    for minute in 1..=3 {
        for n in 0..50 {
            let token = Signer::ec(&format!("unknown-{minute}-{n}")).token(&scene.claims());
            assert!(is_denied(&scene.enters(&token, NOW + minute * MINUTE + n).await));
        }
        assert!(scene.enters(&scene.token(), NOW + minute * MINUTE + 50).await.is_ok());
    }
    assert_eq!(scene.asked(), (1, 4));
}

#[tokio::test]
async fn many_at_once_are_one_call() {
    let scene = Scene::new().await;
    let token = scene.token();
    let entered = join_all((0..50).map(|_| scene.enters(&token, NOW))).await;
    assert!(entered.iter().all(Result::is_ok));
    assert_eq!(scene.asked(), (1, 1));
}

#[tokio::test]
async fn an_issuer_that_is_gone_leaves_its_keys_behind() {
    let scene = Scene::new().await;
    assert!(scene.enters(&scene.token(), NOW).await.is_ok());
    scene.issuer.says(KEYS, Reply::Text(503, String::new()));
    scene.issuer.says(DISCOVERY, Reply::Text(503, String::new()));
    for minute in [1, 61, 62, 600] {
        assert!(scene.enters(&scene.token(), NOW + minute * MINUTE).await.is_ok(), "after {minute} minutes");
        let unknown = Signer::ec("unknown").token(&scene.claims());
        assert!(is_denied(&scene.enters(&unknown, NOW + minute * MINUTE).await), "no 5xx for what is forged");
    }
    assert_eq!(scene.asked(), (4, 2), "asked once each time, and where to ask after the first failure");
}

#[tokio::test]
async fn without_any_keys_the_issuer_is_asked_ever_more_seldom() {
    let scene = Scene::new().await;
    scene.issuer.says(KEYS, Reply::Text(500, String::new()));
    let mut asked = Vec::new();
    for second in 0..300 {
        for n in 0..5 {
            assert!(is_unavailable(&scene.enters(&scene.token(), NOW + second * 1000 + n).await));
        }
        if scene.asked().1 > asked.len() {
            asked.push(second);
        }
    }
    assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    scene.issuer.says(KEYS, published(&[&scene.key]));
    assert!(scene.enters(&scene.token(), NOW + 303_000).await.is_ok());
}

#[tokio::test]
async fn nobody_there_is_a_sentence_for_the_caller() {
    let method = method(&nobody().await, json!({}));
    let key = Signer::ec("k1");
    let claims = json!({"iss": method.config.issuer, "aud": "dask", "sub": "alice", "exp": NOW / 1000 + 60});
    assert!(is_unavailable(&enters(&method, Presented::Bearer(key.token(&claims)), NOW).await));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_never_answers_is_waited_for_briefly() {
    let scene = Scene::new().await;
    scene.issuer.says(DISCOVERY, Reply::Silence);
    let begun = tokio::time::Instant::now();
    let entered = join_all((0..20).map(|_| async { scene.enters(&scene.token(), NOW).await })).await;
    assert!(entered.iter().all(is_unavailable));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_keep_the_others_from_new_keys() {
    let scene = Scene::new().await;
    let token = scene.token();
    let left = tokio::time::timeout(std::time::Duration::ZERO, scene.enters(&token, NOW)).await;
    assert!(left.is_err(), "it left before there were keys");
    assert!(scene.enters(&token, NOW).await.is_ok());
    assert_eq!(scene.asked(), (1, 1));
}

#[tokio::test]
async fn what_is_no_discovery_or_no_key_set_is_no_answer() {
    let good = Scene::new().await;
    let elsewhere = Reply::Redirect(format!("{}{KEYS}", good.issuer.url));
    let discovered = |issuer: &str, jwks: &str| Reply::Json(json!({"issuer": issuer, "jwks_uri": jwks}));
    let keys = format!("{}{KEYS}", good.issuer.url);
    for (path, reply) in [
        (DISCOVERY, Reply::Text(200, "<html>".into())),
        (DISCOVERY, Reply::Json(json!({"issuer": "x"}))),
        (DISCOVERY, Reply::Text(404, String::new())),
        (DISCOVERY, Reply::Redirect(format!("{}{DISCOVERY}", good.issuer.url))),
        (DISCOVERY, discovered("https://other.example", &keys)),
        (DISCOVERY, discovered(&format!("{}/", good.issuer.url), &keys)),
        (DISCOVERY, discovered(&good.issuer.url, "file:///etc/passwd")),
        (DISCOVERY, discovered(&good.issuer.url, "keys")),
        (DISCOVERY, Reply::Bytes(2 << 20)),
        (KEYS, Reply::Text(200, "<html>".into())),
        (KEYS, Reply::Json(json!({"keys": []}))),
        (KEYS, elsewhere),
        (KEYS, Reply::Bytes(2 << 20)),
        (KEYS, Reply::Text(204, String::new())),
    ] {
        let scene = Scene::new().await;
        scene.issuer.says(path, reply);
        assert!(is_unavailable(&scene.enters(&scene.token(), NOW).await), "{path}");
    }
}

#[tokio::test]
async fn with_an_address_for_the_keys_nothing_is_discovered() {
    let scene = Scene::new().await;
    let method = method("https://id.example/tenant/", json!({"jwks_url": format!("{}{KEYS}", scene.issuer.url)}));
    let mut claims = scene.claims();
    claims["iss"] = json!("https://id.example/tenant/");
    let token = scene.key.token(&claims);
    assert!(enters(&method, Presented::Bearer(token), NOW).await.is_ok());
    assert_eq!(scene.asked(), (0, 1));
}
