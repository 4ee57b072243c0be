//! Tokens good, forged and broken, with an issuer in every mood.

mod forged;
mod issuers;
mod signer;

use super::*;
use crate::stub::{Reply, Stub};
use serde_json::{Value, json};
use signer::Signer;

const NOW: Ms = 1_800_000_000_000;
const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/keys";
const MINUTE: Ms = 60_000;

/// An issuer with one EC key, and the method that takes its tokens.
struct Scene {
    issuer: Stub,
    key: Signer,
    method: Arc<Jwt>,
}

impl Scene {
    async fn new() -> Scene {
        Scene::with(json!({})).await
    }

    async fn with(more: Value) -> Scene {
        let (issuer, key) = (Stub::start().await, Signer::ec("k1"));
        issuer.says(DISCOVERY, Reply::Json(json!({"issuer": issuer.url, "jwks_uri": format!("{}{KEYS}", issuer.url)})));
        issuer.says(KEYS, published(&[&key]));
        let method = Arc::new(method(&issuer.url, more));
        Scene { issuer, key, method }
    }

    fn claims(&self) -> Value {
        json!({"iss": self.issuer.url, "aud": "dask", "sub": "alice", "exp": NOW / 1000 + 86_400})
    }

    fn token(&self) -> String {
        self.key.token(&self.claims())
    }

    async fn enters(&self, token: &str, now: Ms) -> Result<Authenticated, AuthError> {
        enters(&self.method, Presented::Bearer(token.to_owned()), now).await
    }

    fn asked(&self) -> (usize, usize) {
        (self.issuer.asked(DISCOVERY), self.issuer.asked(KEYS))
    }
}

fn method(issuer: &str, more: Value) -> Jwt {
    let mut config = json!({"issuer": issuer, "audience": "dask"});
    more.as_object().unwrap().iter().for_each(|(name, value)| config[name] = value.clone());
    Jwt::new(serde_json::from_value(config).unwrap(), Arc::default()).unwrap()
}

fn published(keys: &[&Signer]) -> Reply {
    Reply::Json(json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}))
}

async fn enters(method: &Jwt, presented: Presented, now: Ms) -> Result<Authenticated, AuthError> {
    assert!(method.accepts(&presented, &Peer::default()));
    method.authenticate(&presented, &Peer::default(), now).await
}

fn is_denied(result: &Result<Authenticated, AuthError>) -> bool {
    matches!(result, Err(AuthError::Denied(_)))
}

fn is_unavailable(result: &Result<Authenticated, AuthError>) -> bool {
    matches!(result, Err(AuthError::Unavailable(sentence)) if sentence.contains("try again"))
}

#[tokio::test]
async fn a_good_token_enters_as_bearer_and_as_password() {
    let scene = Scene::new().await;
    assert_eq!(scene.enters(&scene.token(), NOW).await.unwrap().who.name, "alice");
    let basic = |name: &str| Presented::Basic { name: name.to_owned(), password: scene.token() };
    for name in ["alice", ""] {
        assert_eq!(enters(&scene.method, basic(name), NOW).await.unwrap().who.name, "alice");
    }
    for name in ["bob", "Alice", "alice ", "a\nb"] {
        assert!(is_denied(&enters(&scene.method, basic(name), NOW).await), "{name:?}");
    }
    assert_eq!(scene.asked(), (1, 1), "one fetch for all of them");
}

#[tokio::test]
async fn other_credentials_are_not_its_business() {
    let scene = Scene::new().await;
    for text in ["fgt_0123456789abcdef_00", "secret", "eyJ", "eyJ.e30.", ""] {
        assert!(!scene.method.accepts(&Presented::Bearer(text.to_owned()), &Peer::default()), "{text}");
        assert!(
            !scene
                .method
                .accepts(&Presented::Basic { name: "alice".into(), password: text.to_owned() }, &Peer::default()),
            "{text}"
        );
    }
    assert!(!scene.method.accepts(&Presented::JupyterHub(scene.token()), &Peer::default()));
}

#[tokio::test]
async fn groups_and_role_are_the_tokens() {
    let scene = Scene::with(json!({"groups_claim": "realm_access.roles", "admin_groups": ["zz-ops"]})).await;
    let mut claims = scene.claims();
    claims["realm_access"] = json!({"roles": ["b", "a", "a"]});
    let who = scene.enters(&scene.key.token(&claims), NOW).await.unwrap().who;
    assert_eq!((who.groups, who.role, who.method.as_str()), (vec!["a".to_owned(), "b".into()], Role::User, "jwt"));
    let mut roles: Vec<String> = (0..30).map(|n| format!("g{n:02}")).collect();
    roles.push("zz-ops".into());
    claims["realm_access"] = json!({"roles": roles});
    let who = scene.enters(&scene.key.token(&claims), NOW).await.unwrap().who;
    assert_eq!((who.groups.len(), who.role), (20, Role::Admin), "also when that group is one too many");
    claims["realm_access"] = json!({"roles": "zz-ops-not"});
    assert_eq!(scene.enters(&scene.key.token(&claims), NOW).await.unwrap().who.role, Role::User);
}

#[tokio::test]
async fn a_token_ends_and_begins_by_the_gateways_clock() {
    let scene = Scene::with(json!({"leeway": 0})).await;
    let mut claims = scene.claims();
    claims["exp"] = json!(NOW / 1000 + 10);
    claims["nbf"] = json!(NOW / 1000 - 10);
    let token = scene.key.token(&claims);
    assert!(is_denied(&scene.enters(&token, NOW - 10_001).await));
    assert!(scene.enters(&token, NOW - 10_000).await.is_ok());
    assert!(scene.enters(&token, NOW + 9_999).await.is_ok());
    assert!(is_denied(&scene.enters(&token, NOW + 10_000).await));
}
