//! One setting's value: where it goes, how it is read, how it is shown.

use super::ExternalUrl;
use crate::paths::expand;
use faregate_core::model::{Ms, format_size, parse_size};
use faregate_processes::identity::{InvalidRange, UidRange};
use faregate_proxy::Network;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use toml::Value;

/// Longest duration, in seconds: about thirty years.
const LONGEST: f64 = 1e9;

/// The place in a [`Config`](super::Config) that a key sets, and with it the kind of value the key takes.
pub enum Slot<'a> {
    /// `true` or `false`.
    Bool(&'a mut bool),
    /// A whole number, `least` or more.
    Count {
        /// Where it goes.
        to: &'a mut u32,
        /// The smallest that makes sense.
        least: u32,
    },
    /// A whole number, or nothing.
    OptionalCount(&'a mut Option<u32>),
    /// A number, of cores or seconds; bounds are checked with the whole configuration.
    Number(&'a mut f64),
    /// A number, or nothing.
    OptionalNumber(&'a mut Option<f64>),
    /// Seconds, kept as milliseconds; above zero.
    Seconds(&'a mut Ms),
    /// Seconds above zero, or nothing.
    OptionalSeconds(&'a mut Option<Ms>),
    /// Uids, or nothing.
    UidRange(&'a mut Option<UidRange>),
    /// Memory.
    Size(&'a mut u64),
    /// Memory, or nothing.
    OptionalSize(&'a mut Option<u64>),
    /// Text, or nothing.
    OptionalText(&'a mut Option<String>),
    /// Words.
    Words(&'a mut Vec<String>),
    /// Text by name.
    Texts(&'a mut BTreeMap<String, String>),
    /// A file or directory, or nothing.
    OptionalPath(&'a mut Option<PathBuf>),
    /// Where to listen.
    Address(&'a mut SocketAddr),
    /// Where to listen, or nothing.
    OptionalAddress(&'a mut Option<SocketAddr>),
    /// A path prefix: nothing, or `/a/b`.
    Prefix(&'a mut String),
    /// An address as others see it, or nothing.
    ExternalUrl(&'a mut Option<ExternalUrl>),
    /// Addresses and networks.
    Networks(&'a mut Vec<Network>),
}

impl Slot<'_> {
    /// Puts a value in. The error says what the value must be.
    pub fn read(self, value: &Value) -> Result<(), String> {
        match self {
            Slot::Bool(to) => *to = value.as_bool().ok_or_else(|| expected("`true` or `false`", value))?,
            Slot::Count { to, least } => *to = count(value, least)?,
            Slot::OptionalCount(to) => *to = Some(count(value, 0)?),
            Slot::Number(to) => *to = number(value)?,
            Slot::OptionalNumber(to) => *to = Some(number(value)?),
            Slot::Seconds(to) => *to = seconds(value)?,
            Slot::OptionalSeconds(to) => *to = Some(seconds(value)?),
            Slot::UidRange(to) => {
                *to = Some(text(value)?.parse().map_err(|error: InvalidRange| expected(&error.to_string(), value))?);
            }
            Slot::Size(to) => *to = size(value)?,
            Slot::OptionalSize(to) => *to = Some(size(value)?),
            Slot::OptionalText(to) => *to = Some(text(value)?.to_owned()),
            Slot::Words(to) => *to = words(value)?,
            Slot::Texts(to) => *to = texts(value)?,
            Slot::OptionalPath(to) => *to = Some(path(value)?),
            Slot::Address(to) => *to = parse_address(text(value)?)?,
            Slot::OptionalAddress(to) => *to = Some(parse_address(text(value)?)?),
            Slot::Prefix(to) => *to = parse_prefix(text(value)?)?,
            Slot::ExternalUrl(to) => *to = Some(ExternalUrl::parse(text(value)?)?),
            Slot::Networks(to) => *to = networks(value)?,
        }
        Ok(())
    }

    /// The value as TOML; none while there is none.
    pub fn show(self) -> Option<Value> {
        let list = |words: &Vec<String>| Value::Array(words.iter().cloned().map(Value::String).collect());
        Some(match self {
            Slot::Bool(v) => Value::Boolean(*v),
            Slot::Count { to, .. } => Value::Integer((*to).into()),
            Slot::OptionalCount(v) => Value::Integer((*v)?.into()),
            Slot::Number(v) => Value::Float(*v),
            Slot::OptionalNumber(v) => Value::Float((*v)?),
            Slot::Seconds(v) => Value::Float(*v as f64 / 1000.0),
            Slot::OptionalSeconds(v) => Value::Float((*v)? as f64 / 1000.0),
            Slot::UidRange(v) => Value::String(v.as_ref()?.to_string()),
            Slot::Size(v) => Value::String(format_size(*v)),
            Slot::OptionalSize(v) => Value::String(format_size((*v)?)),
            Slot::OptionalText(v) => Value::String(v.clone()?),
            Slot::Words(v) => list(v),
            Slot::Texts(v) => Value::Table(v.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect()),
            Slot::OptionalPath(v) => Value::String(v.as_ref()?.display().to_string()),
            Slot::Address(v) => Value::String(v.to_string()),
            Slot::OptionalAddress(v) => Value::String((*v)?.to_string()),
            Slot::Prefix(v) => Value::String(v.clone()),
            Slot::ExternalUrl(v) => Value::String(v.as_ref()?.to_string()),
            Slot::Networks(v) => list(&v.iter().map(ToString::to_string).collect()),
        })
    }
}

/// `must be X, not Y`.
pub fn expected(what: &str, value: &Value) -> String {
    let shown = match value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => format!("`{other}`"),
    };
    format!("must be {what}, not {shown}")
}

fn count(value: &Value, least: u32) -> Result<u32, String> {
    let fits = |n: i64| u32::try_from(n).ok().filter(|n| *n >= least);
    value
        .as_integer()
        .and_then(fits)
        .ok_or_else(|| expected(&format!("a whole number between {least} and {}", u32::MAX), value))
}

fn number(value: &Value) -> Result<f64, String> {
    let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
    number.filter(|n| n.is_finite()).ok_or_else(|| expected("a number", value))
}

fn seconds(value: &Value) -> Result<Ms, String> {
    let seconds = number(value).ok().filter(|s| *s >= 0.001 && *s <= LONGEST);
    let seconds = seconds.ok_or_else(|| expected("a number of seconds between 0.001 and 1000000000", value))?;
    Ok((seconds * 1000.0).round() as Ms)
}

fn size(value: &Value) -> Result<u64, String> {
    match value {
        Value::String(text) => parse_size(text).map_err(|_| expected(r#"a size such as "2 G""#, value)),
        Value::Integer(bytes) if *bytes >= 0 => Ok(*bytes as u64),
        _ => Err(expected(r#"a size such as "2 G", or a number of bytes"#, value)),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| expected("text in quotes", value))
}

fn path(value: &Value) -> Result<PathBuf, String> {
    let path = text(value)?;
    if path.is_empty() { Err("must name a file or directory, not nothing".to_owned()) } else { expand(path.as_ref()) }
}

/// A list of texts.
pub fn words(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || expected(r#"a list of words such as ["dask", "worker"]"#, value);
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|word| word.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn networks(value: &Value) -> Result<Vec<Network>, String> {
    let wrong = || expected(r#"a list of addresses and networks such as ["10.0.0.0/8"]"#, value);
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|one| one.as_str().ok_or_else(wrong)?.parse().map_err(|error| format!("has {error}"))).collect()
}

fn texts(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let table = value.as_table().ok_or_else(|| expected(r#"a table such as { NAME = "value" }"#, value))?;
    let pair = |(name, value): (&String, &Value)| match value.as_str() {
        Some(_) if name.is_empty() || name.contains(['=', '\0']) => {
            Err(format!("has `{name}`, which no variable can be called"))
        }
        Some(text) if text.contains('\0') => Err(format!("has a value with a NUL in `{name}`")),
        Some(text) => Ok((name.clone(), text.to_owned())),
        None => Err(format!("has `{name}`, whose value {}", expected("text in quotes", value))),
    };
    table.iter().map(pair).collect()
}

/// `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`, `gateway.example.com:8000`; `:8000` and `*:8000` are all addresses of the machine. Of
/// several addresses that a name has, the first of IPv4 counts, as schedulers and workers are told it.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let wrong =
        || format!("must be an address and a port such as 127.0.0.1:8000, localhost:8000 or :8000, not `{text}`");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    match host {
        "" | "*" => return Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        "localhost" => return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        _ => {}
    }
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        || host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return Err(wrong());
    }
    let found: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("names the host `{host}`, which cannot be found: {error}"))?
        .collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| format!("names the host `{host}`, which has no address"))
}

/// `/services/gateway` from that, or with a slash too many; nothing from `/`.
fn parse_prefix(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if trimmed.is_empty() || trimmed.starts_with('/') && trimmed.chars().all(plain) && !trimmed.contains("//") {
        Ok(trimmed.to_owned())
    } else {
        Err(format!("must be a path such as /services/gateway, of letters, digits and -._~, not `{text}`"))
    }
}
