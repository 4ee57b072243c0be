//! Values as they are written in the file, beside what the gateway makes of them.

use super::ExternalUrl;
use crate::paths::expand;
use faregate_core::model::{Ms, format_size, parse_size};
use faregate_headers::Network;
use faregate_processes::identity::UidRange;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// Longest duration, in seconds: about thirty years.
const LONGEST: f64 = 1e9;

/// A value as it is written.
pub trait Value: Sized {
    /// What it is in a [`Config`](super::Config).
    type Meant;
    /// What is meant by it.
    fn read(&self) -> Self::Meant;
    /// How that is written.
    fn write(meant: &Self::Meant) -> Self;
    /// What it is, for the reference.
    #[cfg(test)]
    fn kind() -> String;
}

/// Values that are what they are written as.
macro_rules! plain {
    ($($type:ty: $kind:literal,)*) => {$(
        impl Value for $type {
            type Meant = $type;
            fn read(&self) -> $type {
                self.clone()
            }
            fn write(meant: &$type) -> $type {
                meant.clone()
            }
            #[cfg(test)]
            fn kind() -> String {
                $kind.to_owned()
            }
        }
    )*};
}

plain! {
    bool: "`true` or `false`",
    f64: "number",
    String: "text",
    BTreeMap<String, String>: "table of texts",
}

/// Values with another type than they are written with: what is meant, how it is written, how it is read, and how it is shown. An error is
/// what the value must be.
macro_rules! written {
    ($($(#[doc = $about:literal])+ $name:ident$(<$least:ident>)?: $meant:ty as $written:ty, $kind:expr, $read:expr, $write:expr;)*) => {$(
        $(#[doc = $about])+
        #[derive(Clone)]
        pub struct $name$(<const $least: u32>)?(pub $meant);

        impl<'de$(, const $least: u32)?> Deserialize<'de> for $name$(<$least>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read: fn($written) -> Result<$meant, String> = $read;
                read(<$written>::deserialize(deserializer)?).map($name).map_err(D::Error::custom)
            }
        }

        impl$(<const $least: u32>)? Serialize for $name$(<$least>)? {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$meant) -> $written = $write;
                write(&self.0).serialize(serializer)
            }
        }

        impl$(<const $least: u32>)? Value for $name$(<$least>)? {
            type Meant = $meant;
            fn read(&self) -> $meant {
                self.0.clone()
            }
            fn write(meant: &$meant) -> Self {
                $name(meant.clone())
            }
            #[cfg(test)]
            fn kind() -> String {
                $kind.to_string()
            }
        }
    )*};
}

written! {
    /// A whole number, `LEAST` or more.
    Count<LEAST>: u32 as i64, format!("whole number, {LEAST} or more"),
        |n| u32::try_from(n).ok().filter(|n| *n >= LEAST)
            .ok_or_else(|| format!("must be a whole number between {LEAST} and {}, not `{n}`", u32::MAX)),
        |n| (*n).into();
    /// Seconds above zero, kept as milliseconds.
    Seconds: Ms as f64, "seconds",
        |seconds| match (0.001..=LONGEST).contains(&seconds) {
            true => Ok((seconds * 1000.0).round() as Ms),
            false => Err(format!("must be a number of seconds between 0.001 and {LONGEST}, not `{seconds}`")),
        },
        |ms| *ms as f64 / 1000.0;
    /// US dollars.
    Price: f64 as f64, "US dollars",
        |price| match (0.0..=1e6).contains(&price) {
            true => Ok(price),
            false => Err(format!("must be a number of US dollars from 0 to 1000000, not `{price}`")),
        },
        |price| *price;
    /// Memory, or room on a disk.
    Size: u64 as toml::Value, "size",
        |value| match &value {
            toml::Value::String(text) => parse_size(text).ok(),
            toml::Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            _ => None,
        }.ok_or_else(|| format!(r#"must be a size such as "2 G", or a number of bytes, not `{value}`"#)),
        |bytes| format_size(*bytes).into();
    /// Where to listen.
    Address: SocketAddr as String, "address and port", |text| parse_address(&text), ToString::to_string;
    /// A file or directory.
    FilePath: PathBuf as String, "path",
        |text| match text.is_empty() {
            true => Err("must name a file or directory, not nothing".to_owned()),
            false => expand(text.as_ref()),
        },
        |path| path.display().to_string();
    /// A path prefix: nothing, or `/a/b`.
    Prefix: String as String, "path", |text| parse_prefix(&text), String::clone;
    /// Uids.
    Uids: UidRange as String, "range of uids",
        |text| text.parse().map_err(|wrong| format!("must be {wrong}, not `{text:?}`")), ToString::to_string;
    /// An address as others see it.
    Url: ExternalUrl as String, "URL", |text| ExternalUrl::parse(&text), ToString::to_string;
    /// An address or a network.
    NetworkText: Network as String, "network", |text| text.parse().map_err(|wrong| format!("cannot be used: {wrong}")), ToString::to_string;
}

impl<T: Value> Value for Option<T> {
    type Meant = Option<T::Meant>;
    fn read(&self) -> Self::Meant {
        self.as_ref().map(T::read)
    }
    fn write(meant: &Self::Meant) -> Self {
        meant.as_ref().map(T::write)
    }
    #[cfg(test)]
    fn kind() -> String {
        T::kind()
    }
}

impl<T: Value> Value for Vec<T> {
    type Meant = Vec<T::Meant>;
    fn read(&self) -> Self::Meant {
        self.iter().map(T::read).collect()
    }
    fn write(meant: &Self::Meant) -> Self {
        meant.iter().map(T::write).collect()
    }
    #[cfg(test)]
    fn kind() -> String {
        format!("list of {}s", T::kind())
    }
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
