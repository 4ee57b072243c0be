//! A heartbeat's body, read straight into its checked content: the hot path of the gateway.

mod values;

pub use values::MOST_WORKERS;

use aws_lc_rs::digest;
use faregate_core::model::{Content, InvalidContent};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use values::{Count, HTTP, HTTP_OR_NONE, MOST_NAMES, Names, TLS};

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
    faregate_core::model::hex(hash.finish().as_ref())
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

#[cfg(test)]
mod tests;
