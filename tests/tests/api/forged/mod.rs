//! Forged and broken credentials, of every method and of none: nobody comes in, nothing changes, and who would have to be asked is
//! not asked more than once.

mod peers;

use faregate_core::model::ClusterName;
use faregate_keys::{KeyRing, RingKey, Use};
use faregate_tests::api::{Api, Call};
use jsonwebtoken::Algorithm;
use peers::{Gate, KEYS, USER, gate};
use serde_json::{Value, json};

/// What is shown, and as what.
struct Forged {
    what: String,
    header: &'static str,
    value: Vec<u8>,
}

#[derive(Default)]
struct Table(Vec<Forged>);

impl Table {
    fn add(&mut self, what: impl Into<String>, header: &'static str, value: impl Into<Vec<u8>>) {
        self.0.push(Forged { what: what.into(), header, value: value.into() });
    }

    fn authorization(&mut self, what: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.add(what, "authorization", value);
    }

    fn basic(&mut self, what: impl Into<String>, credentials: impl AsRef<[u8]>) {
        self.authorization(what, format!("Basic {}", peers::base64(credentials)));
    }

    fn session(&mut self, what: impl Into<String>, value: &str) {
        self.add(what, "cookie", format!("faregate-session={value}"));
    }
}

fn tokens(table: &mut Table, gate: &Gate) {
    let good = gate.claims();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let now = gate.api.gateway.now() / 1000;
    let stranger = peers::Key::new("k1");
    let whole = gate.key.sign(&good);
    let (head, body, signature) = peers::parts(&whole);
    let mut jwt = |what: &str, token: String| {
        table.authorization(format!("jwt: {what}"), format!("Bearer {token}"));
        table.basic(format!("jwt as a password: {what}"), format!("alice:{token}"));
    };
    jwt("another's key", stranger.sign(&good));
    jwt("no signature", format!("{head}.{body}."));
    jwt("no third part", format!("{head}.{body}"));
    jwt("another's claims", format!("{head}.{}.{signature}", peers::base64url(with("sub", json!("root")).to_string())));
    jwt("the algorithm none", format!("{}.{body}.", peers::base64url(r#"{"alg":"none","kid":"k1"}"#)));
    jwt("HS256 with the public key", peers::hs256(&gate.key.public(), "k1", &good));
    jwt("HS256 with nothing", peers::hs256(b"", "k1", &good));
    jwt(
        "an algorithm that the key is not for",
        format!("{}.{body}.{signature}", peers::base64url(r#"{"alg":"ES384","kid":"k1"}"#)),
    );
    jwt("expired", gate.key.sign(&with("exp", json!(now - 120))));
    jwt("not yet good", gate.key.sign(&with("nbf", json!(now + 120))));
    jwt("no expiry", gate.key.sign(&without("exp")));
    jwt("for somebody else", gate.key.sign(&with("aud", json!("another service"))));
    jwt("for nobody", gate.key.sign(&without("aud")));
    jwt("by another issuer", gate.key.sign(&with("iss", json!("https://issuer.example"))));
    jwt("no user", gate.key.sign(&without("sub")));
    jwt("a user with a newline", gate.key.sign(&with("sub", json!("alice\nroot"))));
    jwt("a user that is a number", gate.key.sign(&with("sub", json!(7))));
    jwt("no claims at all", gate.key.sign(&json!({})));
    for n in 0..5 {
        jwt(&format!("an unknown key id {n}"), peers::Key::new(&format!("flood{n}")).sign(&good));
    }
    jwt("no token", "eyJ.eyJ.x".into());
    table.authorization("jwt: oversized", format!("Bearer eyJ{}.e30.x", "A".repeat(40_000)));
    table.basic("jwt: another's name beside it", format!("bob:{}", gate.key.sign(&good)));
    table.authorization("bearer: nothing", "Bearer");
    table.authorization("bearer: no text", b"Bearer \xff\xfe".to_vec());
    table.authorization("bearer: no token of any kind", "Bearer secret");
}

fn sessions(table: &mut Table, gate: &Gate, cookie: &str) {
    let (head, _, signature) = peers::parts(cookie);
    let now = gate.api.gateway.now() / 1000;
    let root = json!({"sub": "root", "role": "admin", "method": "basic", "auth_time": now, "exp": now + 3000});
    table.session("session: another's claims", &format!("{head}.{}.{signature}", peers::base64url(root.to_string())));
    table.session(
        "session: unsigned",
        &format!("{}.{}.", peers::base64url(r#"{"alg":"none","kid":"k1"}"#), peers::base64url(root.to_string())),
    );
    table.session("session: of another gateway", &peers::hs256(&[9; 32], "k1", &root));
    table.session("session: of a key that is not in the ring", &peers::hs256(&[9; 32], "k0", &root));
    table.session("session: signed by the issuer", &gate.key.sign(&root));
    table.session("session: cut", &cookie[..cookie.len() - 4]);
    table.session("session: empty", "");
    table.add("session: no text", "cookie", b"faregate-session=\xff".to_vec());
    table.add("session: under another name", "cookie", format!("session={cookie}"));
    let older = KeyRing { keys: vec![RingKey::new("k0", peers::base64([8; 32]))], ..gate.api.gateway.ring().clone() };
    let key = older.session_key("k0").unwrap();
    table.session("session: of an older key, since taken out", &peers::hs256(&key, "k0", &root));
}

fn clusters(table: &mut Table, gate: &Gate, of_bob: &ClusterName) {
    let (ring, api) = (gate.api.gateway.ring(), &gate.api);
    let newest = &ring.newest().id;
    let other = ring.token(newest, Use::Dashboard, &gate.alices).unwrap();
    let mine = api.token(&gate.alices);
    table.authorization("cluster: another's token", format!("token {}", api.token(of_bob)));
    table.authorization("cluster: the dashboard's key", format!("token {other}"));
    table.authorization("cluster: a token cut short", format!("token {}", &mine[..mine.len() - 1]));
    table.authorization("cluster: an unknown key", format!("token k9-{}", mine.split_once('-').unwrap().1));
    table.authorization("cluster: nothing", "token");
    table.authorization("cluster: no text", b"token \xff".to_vec());
    table.authorization("cluster: its token as Bearer", format!("Bearer {mine}"));
    table.basic("cluster: its token as a password", format!("alice:{mine}"));
}

fn passwords(table: &mut Table) {
    for (what, credentials) in [
        ("a wrong password", &b"alice:wrong horse"[..]),
        ("no password", b"alice:"),
        ("the right one, and more", b"alice:correct horse "),
        ("another case", b"Alice:correct horse"),
        ("an unknown user", b"mallory:correct horse"),
        ("no user", b":correct horse"),
        ("a user with NUL", b"ali\0ce:correct horse"),
        ("a user with a newline", b"alice\n:correct horse"),
        ("a traversal", b"../alice:correct horse"),
        ("another item's key", b"user:alice:correct horse"),
        ("no colon", b"alice"),
        ("nothing at all", b""),
        ("not UTF-8", b"\xff\xfe:\xff"),
    ] {
        table.basic(format!("basic: {what}"), credentials);
    }
    table.basic("basic: a name of 10,000", format!("{}:x", "a".repeat(10_000)));
    table.basic("basic: a password of 10,000", format!("alice:{}", "x".repeat(10_000)));
    table.authorization("basic: no base64", "Basic %%%");
    table.authorization("basic: half a base64", "Basic YWxpY2U");
    table.authorization("basic: nothing", "Basic");
    table.authorization("basic: not text", b"Basic \xff\xff".to_vec());
}

fn machine_tokens(table: &mut Table, text: &str, revoked: &str, expired: &str) {
    let (id, secret) = text.rsplit_once('_').unwrap();
    table.authorization("token: revoked", format!("Bearer {revoked}"));
    table.basic("token: revoked, as a password", format!("alice:{revoked}"));
    table.authorization("token: expired", format!("Bearer {expired}"));
    table.authorization("token: another's secret", format!("Bearer {id}_{}", revoked.rsplit_once('_').unwrap().1));
    table.authorization("token: its id alone", format!("Bearer {id}"));
    table.authorization("token: its secret in capitals", format!("Bearer {id}_{}", secret.to_uppercase()));
    table.authorization("token: an unknown id", format!("Bearer fgt_0000000000000000_{secret}"));
    table.authorization("token: a traversal for an id", format!("Bearer fgt_../../accounts_{secret}"));
    table.authorization("token: long", format!("Bearer fgt_{}", "a".repeat(30_000)));
    table.basic("token: with another's name", format!("bob:{text}"));
}

fn hub_and_tickets(table: &mut Table) {
    for n in 0..5 {
        table.authorization(format!("jupyterhub: nobody's token {n}"), format!("jupyterhub nobody{n}"));
    }
    table.authorization("jupyterhub: without the scope", "jupyterhub unscoped");
    table.authorization("jupyterhub: a user of no name", "jupyterhub nameless");
    table.authorization("jupyterhub: nothing", "jupyterhub");
    table.authorization("jupyterhub: no text", b"jupyterhub \xc3\x28".to_vec());
    table.authorization("jupyterhub: oversized", format!("jupyterhub {}", "x".repeat(30_000)));
    table.authorization("jupyterhub: a header within", "jupyterhub a\tb");
    for (what, token) in [
        ("NTLM", &b"NTLMSSP\0\x01\0\0\0"[..]),
        ("garbage", b"\x60\x82\xff\xff"),
        ("an empty token of GSS-API", b"\x60\x00"),
        ("one byte", b"\x60"),
    ] {
        table.authorization(format!("negotiate: {what}"), format!("Negotiate {}", peers::base64(token)));
    }
    table.authorization("negotiate: no base64", "Negotiate !!!");
    table.authorization("negotiate: nothing", "Negotiate");
    table.authorization("negotiate: oversized", format!("Negotiate {}", "A".repeat(100_000)));
    table.authorization("a scheme of nobody", "Digest username=\"alice\"");
    table.authorization("no scheme", "alice");
}

/// Everything that can be asked for with it.
async fn try_all(api: &Api, alices: &ClusterName, number: usize, forged: &Forged) {
    // each from a peer of its own, so that all of it is looked at
    let peers = std::cell::Cell::new(0);
    let show = |call: Call| {
        peers.set(peers.get() + 1);
        let address = format!("10.{}.{}.{}", number / 256, number % 256, peers.get());
        call.from(&address).header(forged.header, &forged.value)
    };
    let cluster = format!("/api/v1/clusters/{alices}");
    let calls = [
        show(api.get("/api/v1/clusters/")),
        show(api.post("/api/v1/clusters/")).json(&json!({})),
        show(api.get(&cluster)),
        show(api.delete(&cluster)),
        show(api.post(&format!("{cluster}/heartbeat"))).json(&faregate_tests::api::heartbeat()),
        show(api.get("/api/v1/admin/clusters")),
        show(api.post("/api/v1/tokens")).json(&json!({"name": "x", "scopes": ["read"]})),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        let answer = call.send().await;
        assert!([401, 403].contains(&answer.status.as_u16()), "{}: call {number}: {answer:?}", forged.what);
        assert_eq!(answer.session(), None, "{}", forged.what);
    }
}

#[tokio::test]
async fn nobody_comes_in_with_what_is_forged_and_nothing_changes() {
    let gate = gate().await;
    let api = &gate.api;
    let cookie = api.get("/api/v1/options").credentials("alice:correct horse").send().await.session().unwrap();
    let bob = api.post("/api/v1/clusters/").credentials("bob:battery staple").json(&json!({})).send().await;
    let of_bob: ClusterName = bob.json()["name"].as_str().unwrap().parse().unwrap();
    let [text, revoked, expired] = gate.machine_tokens().await;

    let mut table = Table::default();
    tokens(&mut table, &gate);
    sessions(&mut table, &gate, &cookie);
    clusters(&mut table, &gate, &of_bob);
    passwords(&mut table);
    machine_tokens(&mut table, &text, &revoked, &expired);
    hub_and_tickets(&mut table);
    assert!(table.0.len() >= 60, "{}", table.0.len());

    // that a password was wrong is on record, and nothing else
    let stored = || {
        let mut stored = api.everything_stored();
        stored.values_mut().for_each(|rows| rows.retain(|row| !row.starts_with("failures | ")));
        stored
    };
    let (before, hub_before) = (stored(), gate.hub.asked(USER));
    for (number, forged) in table.0.iter().enumerate() {
        try_all(api, &gate.alices, number, forged).await;
        assert_eq!(stored(), before, "{}", forged.what);
    }
    // the flood of unknown keys, each shown many times, has cost the issuer one look at its keys beside the first
    assert!(gate.issuer.asked(KEYS) <= 2, "{}", gate.issuer.asked(KEYS));
    let shown_to_the_hub = table.0.iter().filter(|forged| forged.value.starts_with(b"jupyterhub ")).count();
    assert!(gate.hub.asked(USER) - hub_before <= shown_to_the_hub, "no credential is asked about twice");
    // and what is good is good
    for good in
        [format!("Bearer {}", gate.key.sign(&gate.claims())), format!("Bearer {text}"), "jupyterhub hers".into()]
    {
        let answer = api.get("/api/v1/clusters/").header("authorization", &good).send().await;
        assert_eq!(answer.status, 200, "{good}");
    }
    assert_eq!(gate.key.algorithm(), Algorithm::ES256);
}
