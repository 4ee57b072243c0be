//! A heartbeat's body, read straight into its checked content: the hot path of the gateway.

use crate::model::{Content, InvalidContent};
use aws_lc_rs::digest;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

/// The most workers a cluster can want; a larger number counts as this one.
pub const MOST_WORKERS: u32 = 1_000_000;
/// The most names in one heartbeat, in its three lists together.
const MOST_NAMES: usize = 500_000;
/// The longest worker name, in characters.
const LONGEST_NAME: usize = 128;

/// The content, and its digest: equal for equal contents, however they were written.
pub fn parse(body: &[u8]) -> Result<(Content, String), InvalidContent> {
    let field = Cell::new("body");
    let mut json = serde_json::Deserializer::from_slice(body);
    let content = Fields(&field).deserialize(&mut json).and_then(|content| json.end().map(|()| content));
    let content = content.map_err(|error| {
        let text = error.to_string();
        if error.is_data() {
            // the place in the body says less than the field's name does
            let text = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
            let wrong = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
            let problem = wrong.map_or(text.to_owned(), |found| format!("is {found}"));
            InvalidContent { field: field.get(), problem }
        } else {
            InvalidContent { field: "body", problem: format!("is not JSON: {text}") }
        }
    })?;
    let digest = digest_of(&content);
    Ok((content, digest))
}

/// SHA-256 of the content in a canonical form, in hex.
fn digest_of(content: &Content) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    let addresses = (content.scheduler, content.dashboard, content.api);
    hash.update(format!("{addresses:?} {}", content.count).as_bytes());
    for names in [&content.active, &content.closing, &content.closed] {
        hash.update(&names.len().to_le_bytes());
        for name in names {
            hash.update(&name.len().to_le_bytes());
            hash.update(name.as_bytes());
        }
    }
    crate::model::hex(hash.finish().as_ref())
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    SchedulerAddress,
    DashboardAddress,
    ApiAddress,
    Count,
    ActiveWorkers,
    ClosingWorkers,
    ClosedWorkers,
    #[serde(other)]
    Unknown,
}

/// The whole body; the cell names the field that is being read.
struct Fields<'c>(&'c Cell<&'static str>);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Content;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let (mut scheduler, mut dashboard, mut api, mut count) = (None, None, None, None);
        let (mut active, mut closing, mut closed) = (None, None, None);
        let room = Cell::new(MOST_NAMES);
        while let Some(key) = map.next_key()? {
            self.0.set(key_name(&key));
            match key {
                Key::SchedulerAddress => scheduler = Some(map.next_value_seed(TLS)?),
                Key::DashboardAddress => dashboard = Some(map.next_value_seed(HTTP_OR_NONE)?),
                Key::ApiAddress => api = Some(map.next_value_seed(HTTP)?),
                Key::Count => count = Some(map.next_value_seed(Count)?),
                Key::ActiveWorkers => active = Some(map.next_value_seed(Names(&room))?),
                Key::ClosingWorkers => closing = Some(map.next_value_seed(Names(&room))?),
                Key::ClosedWorkers => closed = Some(map.next_value_seed(Names(&room))?),
                Key::Unknown => drop(map.next_value::<serde::de::IgnoredAny>()?),
            }
        }
        let missing = |key: Key| {
            self.0.set(key_name(&key));
            A::Error::custom("is missing")
        };
        Ok(Content {
            scheduler: scheduler.ok_or_else(|| missing(Key::SchedulerAddress))?,
            dashboard: dashboard.ok_or_else(|| missing(Key::DashboardAddress))?,
            api: api.ok_or_else(|| missing(Key::ApiAddress))?,
            count: count.ok_or_else(|| missing(Key::Count))?,
            active: active.ok_or_else(|| missing(Key::ActiveWorkers))?,
            closing: closing.ok_or_else(|| missing(Key::ClosingWorkers))?,
            closed: closed.ok_or_else(|| missing(Key::ClosedWorkers))?,
        })
    }
}

fn key_name(key: &Key) -> &'static str {
    match key {
        Key::SchedulerAddress => "scheduler_address",
        Key::DashboardAddress => "dashboard_address",
        Key::ApiAddress => "api_address",
        Key::Count => "count",
        Key::ActiveWorkers => "active_workers",
        Key::ClosingWorkers => "closing_workers",
        Key::ClosedWorkers => "closed_workers",
        Key::Unknown => "body",
    }
}

/// A URL that is nothing but scheme, IP address and port.
struct Address {
    scheme: &'static str,
    may_be_empty: bool,
}

const TLS: Address = Address { scheme: "tls://", may_be_empty: false };
const HTTP: Address = Address { scheme: "http://", may_be_empty: false };
const HTTP_OR_NONE: Address = Address { scheme: "http://", may_be_empty: true };

impl<'de> DeserializeSeed<'de> for Address {
    type Value = Option<SocketAddr>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Address {
    type Value = Option<SocketAddr>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "`{}<IP address>:<port>`{}", self.scheme, if self.may_be_empty { " or an empty string" } else { "" })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() && self.may_be_empty {
            return Ok(None);
        }
        let address = text.strip_prefix(self.scheme).and_then(|rest| rest.parse::<SocketAddr>().ok());
        match address {
            Some(address) if address.port() != 0 => Ok(Some(address)),
            _ => Err(E::invalid_value(Unexpected::Str(&text.chars().take(100).collect::<String>()), &self)),
        }
    }
}

struct Count;

impl<'de> DeserializeSeed<'de> for Count {
    type Value = u32;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for Count {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an integer of at least 0")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<u32, E> {
        Ok(count.min(u64::from(MOST_WORKERS)) as u32)
    }
}

/// A list of worker names; the cell says how many more there may be.
struct Names<'c>(&'c Cell<usize>);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = BTreeSet<String>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = BTreeSet<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of worker names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element_seed(Name)? {
            if self.0.get() == 0 {
                return Err(A::Error::custom(format!("holds too many names: {MOST_NAMES} are the most")));
            }
            self.0.set(self.0.get() - 1);
            names.push(name);
        }
        Ok(names.into_iter().collect())
    }
}

/// One worker's name: a string, or an integer, which an all-digit name has become on its way through dask.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a worker name of at most {LONGEST_NAME} characters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        if name.len() > LONGEST_NAME && name.chars().count() > LONGEST_NAME {
            return Err(E::invalid_length(name.chars().count(), &self));
        }
        Ok(name.to_owned())
    }

    fn visit_u64<E: Error>(self, name: u64) -> Result<String, E> {
        Ok(name.to_string())
    }

    fn visit_i64<E: Error>(self, name: i64) -> Result<String, E> {
        Ok(name.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({
            "scheduler_address": "tls://127.0.0.1:40001",
            "dashboard_address": "http://127.0.0.1:40002",
            "api_address": "http://[::1]:40003",
            "count": 2,
            "active_workers": ["w-b", "w-a", 7, -7],
            "closing_workers": [],
            "closed_workers": ["w-a"],
        })
    }

    fn of(body: &Value) -> Result<(Content, String), String> {
        parse(body.to_string().as_bytes()).map_err(|invalid| invalid.to_string())
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = good();
        body[field] = value;
        body
    }

    #[test]
    fn a_good_heartbeat_is_read() {
        let (content, digest) = of(&good()).unwrap();
        assert_eq!(content.scheduler, Some("127.0.0.1:40001".parse().unwrap()));
        assert_eq!(content.dashboard, Some("127.0.0.1:40002".parse().unwrap()));
        assert_eq!(content.api, Some("[::1]:40003".parse().unwrap()));
        assert_eq!(content.count, 2);
        assert_eq!(content.active.into_iter().collect::<Vec<_>>(), ["-7", "7", "w-a", "w-b"]);
        assert!(content.closing.is_empty());
        assert_eq!(digest.len(), 64);
        assert!(of(&with("dashboard_address", json!(""))).unwrap().0.dashboard.is_none());
        assert!(of(&with("later_field", json!({"deep": [1, {}]}))).is_ok());
        assert_eq!(of(&with("count", json!(u64::MAX))).unwrap().0.count, MOST_WORKERS);
    }

    #[test]
    fn order_and_spacing_do_not_change_the_digest_and_content_does() {
        let (_, digest) = of(&good()).unwrap();
        let reordered = br#" { "closed_workers":["w-a"],"closing_workers" : [], "count":2,
            "active_workers":["w-a",-7,"7","w-b","w-b"], "api_address":"http://[::1]:40003",
            "dashboard_address":"http://127.0.0.1:40002","scheduler_address":"tls://127.0.0.1:40001"}"#;
        assert_eq!(parse(reordered).unwrap().1, digest);
        for (field, value) in [
            ("scheduler_address", json!("tls://127.0.0.1:40009")),
            ("dashboard_address", json!("")),
            ("api_address", json!("http://127.0.0.1:40003")),
            ("count", json!(3)),
            ("active_workers", json!(["w-a"])),
            ("active_workers", json!(["w-bw-a", 7, -7])),
            ("closing_workers", json!(["w-a"])),
            ("closed_workers", json!([])),
        ] {
            assert_ne!(of(&with(field, value)).unwrap().1, digest, "{field}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        for field in good().as_object().unwrap().keys() {
            let mut body = good();
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(of(&body).unwrap_err(), format!("`{field}` is missing"));
        }
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (field, value) in [
            ("scheduler_address", json!("garbage")),
            ("scheduler_address", json!("tcp://127.0.0.1:1")),
            ("scheduler_address", json!("tls://localhost:1")),
            ("scheduler_address", json!("tls://127.0.0.1:0")),
            ("scheduler_address", json!("tls://127.0.0.1:1/x")),
            ("scheduler_address", json!("tls://user@127.0.0.1:1")),
            ("scheduler_address", json!("")),
            ("scheduler_address", json!(null)),
            ("dashboard_address", json!("file:///")),
            ("dashboard_address", json!("https://127.0.0.1:1")),
            ("dashboard_address", json!(null)),
            ("api_address", json!("")),
            ("api_address", json!("http://169.254.169.254")),
            ("count", json!(-5)),
            ("count", json!(true)),
            ("count", json!(2.5)),
            ("count", json!("2")),
            ("active_workers", json!("w")),
            ("active_workers", json!({"w": 1})),
            ("active_workers", json!([true])),
            ("closing_workers", json!([null])),
            ("closed_workers", json!([2.5])),
            ("closed_workers", json!(["x".repeat(129)])),
        ] {
            let error = of(&with(field, value.clone())).unwrap_err();
            assert!(error.starts_with(&format!("`{field}` ")), "{field}: {value}: {error}");
            assert!(!error.contains(" at line "), "{error}");
        }
        let error = of(&with("count", json!(-5))).unwrap_err();
        assert_eq!(error, "`count` is integer `-5`, expected an integer of at least 0");
        let error = of(&with("api_address", json!("x"))).unwrap_err();
        assert_eq!(error, "`api_address` is string \"x\", expected `http://<IP address>:<port>`");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["", "{", "null", "[]", "7", "{} {}", "{\"count\": \u{1}}", "\"x\"", &"[".repeat(1000)] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(parse(b"[]").unwrap_err().to_string(), "`body` is sequence, expected a JSON object");
        assert!(parse(b"\xff").is_err());
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let names: Vec<u64> = (0..300_000).collect();
        let mut body = with("active_workers", json!(names));
        assert!(of(&body).is_ok());
        body["closed_workers"] = json!(names);
        assert!(of(&body).unwrap_err().contains("holds too many names: 500000 are the most"));
    }
}
