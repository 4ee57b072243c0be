//! A thousand requests that nobody would send: good ones with something wrong about them, and garbage.
//!
//! `API_FUZZ_SEED=7 cargo test -p faregate-tests --test api fuzz` draws others.

use faregate_api::Dashboards;
use faregate_core::model::ClusterName;
use faregate_tests::api::{Api, Call, Setup, heartbeat, options};
use http::{HeaderName, HeaderValue, Uri};
use serde_json::{Value, json};

const REQUESTS: u64 = 1_000;

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.roll() as u8).collect()
    }

    /// Something happens to some of the bytes.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.roll() as u8),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 if at < bytes.len() => drop(bytes.remove(at)),
                _ => {
                    let again = bytes[at..].to_vec();
                    bytes.extend(again);
                }
            }
        }
    }

    /// Any JSON, of the kinds that break things.
    fn value(&mut self, depth: usize) -> Value {
        let strange = [
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(2.5),
            json!(1e300),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(""),
            json!("a\nb\0c"),
            json!("\u{10FFFF}é"),
            json!("x".repeat(2000)),
            json!("tls://127.0.0.1:1"),
            json!("http://[::1]:65535"),
            json!("RUNNING"),
            json!([]),
            json!({}),
        ];
        match self.below(8) {
            0 if depth > 0 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            1 if depth > 0 => Value::Object((0..self.below(4)).map(|_| (self.key(), self.value(depth - 1))).collect()),
            _ => self.pick(&strange),
        }
    }

    fn key(&mut self) -> String {
        let keys = [
            "count",
            "minimum",
            "maximum",
            "active",
            "cluster_options",
            "seconds",
            "scheduler_address",
            "api_address",
            "active_workers",
            "closed_workers",
            "name",
            "user",
            "__proto__",
            "",
            "\u{0}",
        ];
        self.pick(&keys).to_owned()
    }
}

/// A request before it is made.
struct Draft {
    method: &'static str,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// The requests that make sense, as a starting point.
fn good(dice: &mut Dice, api: &Api, names: &[ClusterName]) -> Draft {
    let name = dice.pick(names);
    let path = format!("/api/v1/clusters/{name}");
    let token = format!("token {}", api.token(&dice.pick(names)));
    let own = format!("token {}", api.token(&name));
    let user = dice.pick(&["Basic YWxpY2U6eA==", "Basic Ym9iOng=", "basic cm9vdDp4"]).to_owned();
    let (method, path, authorization, body) = match dice.below(19) {
        0 => ("GET", "/api/health".into(), user, Value::Null),
        1 => ("GET", "/api/version".into(), user, Value::Null),
        2 => ("GET", "/api/v1/options".into(), user, Value::Null),
        3 => ("GET", "/api/v1/clusters/?status=running,stopped".into(), user, Value::Null),
        4 => ("POST", "/api/v1/clusters/".into(), user, json!({"cluster_options": {"worker_cores": 2, "period": 1.5}})),
        5 => ("GET", path, user, Value::Null),
        6 => ("GET", format!("{path}?wait"), user, Value::Null),
        7 => ("DELETE", path, dice.pick(&[user, token]), Value::Null),
        8 => ("POST", format!("{path}/scale"), user, json!({"count": 2})),
        9 => ("POST", format!("{path}/adapt"), user, json!({"minimum": 0, "maximum": 2, "active": true})),
        10 => ("GET", format!("/clusters/{name}/status?a=b"), user, Value::Null),
        11 => ("GET", "/api/v1/limits".into(), user, Value::Null),
        12 => ("GET", "/api/v1/usage?month=2027-01".into(), user, Value::Null),
        13 => ("POST", format!("{path}/extend"), user, json!({"seconds": 90.5})),
        14 => ("GET", format!("{path}/explain"), user, Value::Null),
        _ => ("POST", format!("{path}/heartbeat"), dice.pick(&[own.clone(), own, token]), heartbeat()),
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Draft { method, path, headers: vec![("authorization".into(), authorization.into_bytes())], body }
}

/// A header that means something somewhere, with a value that is half right.
fn strange_header(dice: &mut Dice) -> (String, Vec<u8>) {
    let name = dice.pick(&["cookie", "origin", "x-forwarded-proto", "authorization", "host", "content-type", "accept"]);
    let mut value = dice
        .pick(&["faregate-session=a.b.c; x", "https://x", "https", "Basic", "gzip", "\"", "a=b;;=;"])
        .as_bytes()
        .to_vec();
    if dice.one_in(2) {
        dice.mutate(&mut value);
    }
    (name.into(), value)
}

/// One request, with something wrong about most of them.
fn draw(dice: &mut Dice, api: &Api, names: &[ClusterName]) -> (Call, String) {
    let Draft { mut method, mut path, mut headers, mut body } = good(dice, api, names);
    match dice.below(8) {
        0 => {}
        1 => method = dice.pick(&["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X-\u{7E}"]),
        2 => {
            let mut bytes = path.into_bytes();
            dice.mutate(&mut bytes);
            path = String::from_utf8_lossy(&bytes).into_owned();
        }
        3 => {
            let piece = dice.pick(&[
                "%0A",
                "%00",
                "%ff",
                "%2F",
                "..",
                "//",
                "?status=%ff",
                "?wait=&wait",
                "?status",
                "?month=%00",
                "%",
            ]);
            let at = dice.below(path.len() + 1);
            path.insert_str(at, piece);
        }
        4 => {
            let (_, value) = &mut headers[0];
            dice.mutate(value);
        }
        5 => dice.mutate(&mut body),
        6 => body = dice.bytes(200),
        _ => {
            let mut value: Value = serde_json::from_slice(&body).unwrap_or_else(|_| dice.value(3));
            if let Some(object) = value.as_object_mut() {
                let mut keys: Vec<String> = object.keys().cloned().collect();
                keys.push(dice.key());
                let (key, strange) = (dice.pick(&keys), dice.value(3));
                object.insert(key, strange);
            } else {
                value = dice.value(4);
            }
            body = value.to_string().into_bytes();
        }
    }
    if dice.one_in(3) {
        headers.push(strange_header(dice));
    }
    // what cannot be a request at all never reaches a router
    if Uri::try_from(&path).is_err() {
        path = "/api/v1/clusters/?unparsable".into();
    }
    headers.retain(|(name, value)| HeaderName::try_from(name).is_ok() && HeaderValue::from_bytes(value).is_ok());
    let shown = format!("{method} {path}\n{headers:?}\n{}", String::from_utf8_lossy(&body));
    let call = headers.iter().fold(api.call(method, &path), |call, (name, value)| call.header(name, value));
    (call.body(body), shown)
}

/// Clusters to throw things at: running and pending ones, of several users.
async fn fresh(api: &Api) -> [ClusterName; 4] {
    [api.running("alice").await, api.running("bob").await, api.create("alice").await, api.running("root").await]
}

#[tokio::test]
async fn a_thousand_strange_requests_break_nothing_and_those_refused_change_nothing() {
    let base: u64 = std::env::var("API_FUZZ_SEED").ok().map_or(1, |seed| seed.parse().expect("a number"));
    let dashboards = match base % 3 {
        0 => Dashboards::Here { sign_in: true },
        1 => Dashboards::Elsewhere { url: "https://dash.example".into(), sign_in: base.is_multiple_of(2) },
        _ => Dashboards::Nowhere,
    };
    let api = Api::with(Setup { dashboards: Some(dashboards), options: options(), ..Setup::default() }).await;
    let mut names = fresh(&api).await;
    let (mut refused, mut taken) = (0, 0);
    for n in 0..REQUESTS {
        if n % 50 == 49 {
            // some were deleted by now
            names = fresh(&api).await;
        }
        let mut dice = Dice(base.wrapping_mul(0x1_0000_0001).wrapping_add(n));
        let (call, shown) = draw(&mut dice, &api, &names);
        let before = (api.everything_stored(), api.wakes.sent());
        let answer = call.send().await;
        let context = || format!("seed {base}, request {n}: {} for {shown}", answer.status);
        assert!(answer.status.as_u16() < 500, "{}", context());
        if answer.status.is_client_error() {
            refused += 1;
            assert!((api.everything_stored(), api.wakes.sent()) == before, "something changed: {}", context());
            if !shown.starts_with("HEAD") {
                let error = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
                assert!(error["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{}", context());
            }
        } else {
            taken += 1;
        }
    }
    // the drawing itself is worth something: neither all nonsense nor all good
    assert!(refused > REQUESTS / 4 && taken > REQUESTS / 10, "{refused} refused, {taken} taken");
}
