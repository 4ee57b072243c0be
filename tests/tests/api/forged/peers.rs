//! A gateway with every way in, its issuer and its hub; and hands to forge with.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use faregate_auth::access::Access;
use faregate_auth::{Config, Method};
use faregate_core::model::ClusterName;
use faregate_gateway::admin::Act;
use faregate_tests::api::{Api, Setup};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const KEYS: &str = "/keys";
pub const USER: &str = "/hub/api/user";

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The three parts of a token.
pub fn parts(token: &str) -> (&str, &str, &str) {
    let mut parts = token.split('.');
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

/// Signed with a secret.
pub fn hs256(secret: &[u8], kid: &str, claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A key of an issuer's.
pub struct Key {
    kid: String,
    pair: KeyPair,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        Key { kid: kid.to_owned(), pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    pub fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm()) };
        encode(&header, claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }

    /// What everybody may know of it, PEM.
    pub fn public(&self) -> Vec<u8> {
        self.pair.public_key_pem().into_bytes()
    }

    fn jwk(&self) -> Value {
        let point = self.pair.der_bytes();
        let (x, y) = (base64url(&point[1..33]), base64url(&point[33..65]));
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid, "x": x, "y": y})
    }
}

type Replies = Arc<dyn Fn(&str, &HeaderMap) -> (u16, Value) + Send + Sync>;

/// A server on loopback that counts what it is asked.
#[derive(Clone)]
pub struct Peer {
    pub url: String,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    replies: Replies,
}

impl Peer {
    async fn start(replies: impl FnOnce(&str) -> Replies) -> Peer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let peer = Peer { replies: replies(&url), url, asked: Arc::default() };
        let app = Router::new().fallback(answer).with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        peer
    }

    pub fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or(0)
    }
}

async fn answer(State(peer): State<Peer>, uri: Uri, headers: HeaderMap) -> Response {
    *peer.asked.lock().unwrap().entry(uri.path().to_owned()).or_default() += 1;
    let (status, body) = (peer.replies)(uri.path(), &headers);
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

fn hub_user(path: &str, headers: &HeaderMap) -> (u16, Value) {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let user = |name: &str, scopes: &[&str]| json!({"kind": "user", "name": name, "groups": [], "admin": false, "scopes": scopes});
    let own = ["access:services!service=faregate"];
    match (path, token) {
        (USER, "token hers") => (200, user("alice", &own)),
        (USER, "token unscoped") => (200, user("alice", &["self"])),
        (USER, "token nameless") => (200, user("", &own)),
        _ => (403, json!({"status": 403, "message": "Forbidden"})),
    }
}

/// A keytab of one key, as MIT's tools write it.
fn keytab() -> Vec<u8> {
    let counted = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let entry = [
        &2_u16.to_be_bytes()[..],
        &counted("EXAMPLE.TEST"),
        &counted("HTTP"),
        &counted("gateway.example"),
        &1_u32.to_be_bytes(),
        &0_u32.to_be_bytes(),
        &[1],
        &18_u16.to_be_bytes(),
        &32_u16.to_be_bytes(),
        &[7; 32],
    ]
    .concat();
    [&[5, 2][..], &(entry.len() as i32).to_be_bytes(), &entry].concat()
}

/// The gateway, and who it asks.
pub struct Gate {
    pub api: Api,
    pub issuer: Peer,
    pub hub: Peer,
    pub key: Key,
    pub alices: ClusterName,
}

/// Every method is on; alice and bob have passwords, and alice a cluster that runs.
pub async fn gate() -> Gate {
    let key = Key::new("k1");
    let jwk = key.jwk();
    let issuer = Peer::start(|url| {
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}{KEYS}")});
        Arc::new(move |path, _| match path {
            "/.well-known/openid-configuration" => (200, discovery.clone()),
            KEYS => (200, json!({"keys": [jwk]})),
            _ => (404, json!({})),
        })
    });
    let (issuer, hub) = (issuer.await, Peer::start(|_| Arc::new(hub_user)).await);
    let config = json!({
        "methods": ["tokens", "jwt", "jupyterhub", "kerberos", "basic"],
        "jwt": {"issuer": issuer.url, "audience": "faregate"},
        "jupyterhub": {"api_url": format!("{}/hub/api", hub.url), "service_name": "faregate"},
    });
    let mut config = Config::read(&config).unwrap();
    config.tables.kerberos.keytab_bytes = Some(keytab());
    let methods = move |access: &Arc<Access>| -> Vec<Box<dyn Method>> { config.methods(access).unwrap() };
    let api = Api::with(Setup { methods: Some(Box::new(methods)), ..Setup::default() }).await;
    for (user, password) in [("alice", "correct horse"), ("bob", "battery staple")] {
        api.access.add_user(&Act::new("a test", None).unwrap(), user, password).await.unwrap();
    }
    let made = api.post("/api/v1/clusters/").credentials("alice:correct horse").json(&json!({})).send().await;
    let alices: ClusterName = made.json()["name"].as_str().unwrap().parse().unwrap();
    api.run(&alices).await;
    Gate { api, issuer, hub, key, alices }
}

impl Gate {
    /// What a good token says.
    pub fn claims(&self) -> Value {
        let now = self.api.gateway.now() / 1000;
        json!({"iss": self.issuer.url, "aud": "faregate", "sub": "alice", "iat": now, "nbf": now, "exp": now + 3600})
    }

    /// Alice's: a good one, one that was revoked, and one that has expired.
    pub async fn machine_tokens(&self) -> [String; 3] {
        let mut texts = Vec::new();
        for (name, expires_in) in [("good", 86_400), ("revoked", 86_400), ("expired", 600)] {
            let body = json!({"name": name, "scopes": ["create", "read", "stop"], "expires_in": expires_in});
            let made = self.api.post("/api/v1/tokens").credentials("alice:correct horse").json(&body).send().await;
            assert_eq!(made.status, 201, "{made:?}");
            let text = made.json()["token"].as_str().unwrap().to_owned();
            if name == "revoked" {
                let path = format!("/api/v1/tokens/{}", made.json()["id"].as_str().unwrap());
                assert!(self.api.delete(&path).credentials("alice:correct horse").send().await.status.is_success());
            }
            texts.push(text);
        }
        self.api.host.pass(700_000);
        texts.try_into().unwrap()
    }
}
