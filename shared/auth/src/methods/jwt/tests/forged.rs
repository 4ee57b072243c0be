//! What looks like a token and is none of the issuer's.

use super::signer::{Signer, b64, message};
use super::*;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn shared_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", b64(tag.as_ref()))
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

#[tokio::test]
async fn every_kind_of_key_signs_tokens() {
    let scene = Scene::new().await;
    let (rsa, ed) = (Signer::rsa("r1"), Signer::ed("e1"));
    scene.issuer.says(KEYS, published(&[&rsa, &scene.key, &ed]));
    for key in [&rsa, &scene.key, &ed] {
        let entered = scene.enters(&key.token(&scene.claims()), NOW).await;
        assert!(entered.is_ok(), "{}: {entered:?}", key.algorithm());
    }
}

type Forged = Vec<(&'static str, String)>;

fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "kid": kid})
}

/// Signatures that are not the key's, and headers that would have it overlooked.
fn badly_signed(scene: &Scene, rsa: &Signer, stranger: &Signer, good: &str) -> Forged {
    let (ec, claims) = (&scene.key, scene.claims());
    let mut other_claims = claims.clone();
    other_claims["sub"] = json!("root");
    let (head, signature) = (good.split('.').next().unwrap(), good.rsplit('.').next().unwrap());
    let mut flipped = good.as_bytes().to_vec();
    let middle = flipped.len() - 40;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("signed by a stranger under the key's name", stranger.token(&claims)),
        ("claims exchanged", format!("{head}.{}.{signature}", b64(other_claims.to_string().as_bytes()))),
        ("one letter of the signature", String::from_utf8(flipped).unwrap()),
        ("half a signature", good[..good.len() - 43].to_owned()),
        ("a padded signature", format!("{good}A")),
        ("none", format!("{}.AA", message(&header("none", "k1"), &claims))),
        ("nOnE", format!("{}.AA", message(&header("nOnE", "k1"), &claims))),
        ("no algorithm", format!("{}.{signature}", message(&json!({"kid": "k1"}), &claims))),
        ("an RSA token against the EC key", rsa.signed(&header("RS256", "k1"), &claims)),
        ("an EC token against the RSA key", ec.signed(&header("ES256", "r1"), &claims)),
        ("PS256 as RS256", rsa.signed(&header("PS256", "r1"), &claims)),
        ("ES384 with a P-256 key", ec.signed(&header("ES384", "k1"), &claims)),
        ("no key named, of several", rsa.signed(&json!({"alg": "RS256"}), &claims).replace('.', "x.")),
        ("an embedded key", stranger.signed(&json!({"alg": "ES256", "kid": "k1", "jwk": stranger.jwk()}), &claims)),
        ("a key's address", stranger.signed(&json!({"alg": "ES256", "kid": "k1", "jku": "http://x/keys"}), &claims)),
        ("crit", ec.signed(&json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]}), &claims)),
        ("unencoded payload", ec.signed(&json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false}), &claims)),
        ("an id that is no text", ec.signed(&json!({"alg": "ES256", "kid": ["k1"]}), &claims)),
        ("claims that are no object", ec.signed(&header("ES256", "k1"), &json!(["x"]))),
        ("too long", ec.token(&json!({"x": "x".repeat(20_000)}))),
        ("an all-zero signature", format!("{}.{}", message(&header("ES256", "k1"), &claims), b64(&[0; 64]))),
    ]
}

/// A public key is no secret.
fn signed_by_public_keys(keys: &[(&'static str, &Signer)], claims: &Value) -> Forged {
    let mut table = Vec::new();
    for (name, key) in keys {
        for secret in
            [key.public().to_vec(), pem(key.public()).into_bytes(), key.jwk().to_string().into_bytes(), vec![]]
        {
            table.push((*name, shared_secret(&header("HS256", &key.kid), claims, &secret)));
        }
    }
    table
}

/// Well signed, and not good.
fn with_wrong_claims(key: &Signer, claims: &Value) -> Forged {
    let mut table = Vec::new();
    for (name, value) in [
        ("exp", Value::Null),
        ("exp", json!("1900000000")),
        ("exp", json!(NOW / 1000 - 61)),
        ("nbf", json!(NOW / 1000 + 661)),
        ("iss", json!("https://evil.example")),
        ("aud", json!("another")),
        ("aud", json!([])),
        ("sub", json!("")),
        ("sub", json!("../alice\n")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        table.push((name, key.token(&claims)));
    }
    table
}

#[tokio::test]
async fn forged_tokens_are_denied_and_cost_the_issuer_nothing() {
    let scene = Scene::new().await;
    let (ec, rsa, stranger) = (&scene.key, Signer::rsa("r1"), Signer::ec("k1"));
    scene.issuer.says(KEYS, published(&[&rsa, ec]));
    let claims = scene.claims();
    let good = ec.token(&claims);
    assert!(scene.enters(&good, NOW).await.is_ok());
    let mut table = badly_signed(&scene, &rsa, &stranger, &good);
    table.extend(signed_by_public_keys(&[("RSA", &rsa), ("EC", ec)], &claims));
    table.extend(with_wrong_claims(ec, &claims));
    let asked = scene.asked();
    for (what, token) in &table {
        let presented = Presented::Bearer(token.clone());
        if scene.method.accepts(&presented, &Peer::default()) {
            let entered = scene.method.authenticate(&presented, &Peer::default(), NOW + 10 * MINUTE).await;
            assert!(is_denied(&entered), "{what}: {entered:?}");
        }
    }
    assert!(table.len() > 35);
    assert_eq!(scene.asked(), asked);
}

#[tokio::test]
async fn configured_algorithms_are_the_only_ones() {
    let scene = Scene::with(json!({"algorithms": ["RS256"]})).await;
    assert!(is_denied(&scene.enters(&scene.token(), NOW).await));
    assert_eq!(scene.asked(), (0, 0));
}

#[tokio::test]
async fn what_is_said_of_a_token_never_holds_it() {
    let scene = Scene::new().await;
    let stranger = Signer::ec("k1");
    let token = stranger.token(&scene.claims());
    let Err(AuthError::Denied(why)) = scene.enters(&token, NOW).await else { panic!("it is denied") };
    assert!(token.split('.').all(|part| !why.contains(part)), "{why}");
}
