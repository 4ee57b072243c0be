//! The values of a heartbeat's fields, each checked as it is read.

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

/// The most workers a cluster can want; a larger number counts as this one.
pub const MOST_WORKERS: u32 = 1_000_000;
/// The most names in one heartbeat, in its three lists together.
pub(super) const MOST_NAMES: usize = 500_000;
/// The longest worker name, in characters.
const LONGEST_NAME: usize = 128;

/// A URL that is nothing but scheme, IP address and port.
pub(super) struct Address {
    scheme: &'static str,
    may_be_empty: bool,
}

pub(super) const TLS: Address = Address { scheme: "tls://", may_be_empty: false };
pub(super) const HTTP: Address = Address { scheme: "http://", may_be_empty: false };
pub(super) const HTTP_OR_NONE: Address = Address { scheme: "http://", may_be_empty: true };

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

/// Wanted workers; more than there can be count as the most there can be.
pub(super) struct Count;

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
pub(super) struct Names<'c>(pub &'c Cell<usize>);

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
