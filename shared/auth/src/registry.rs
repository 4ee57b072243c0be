//! What there is to know of the ways to sign in, collected: see [`crate::methods`].

use crate::access::Access;
use crate::config::table;
use crate::methods::{ALL, Tables, peer::SystemAccounts};
use crate::{AuthConfigError, Config, Opened, Web};
use serde::Deserializer;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde_json::Value;
use std::sync::Arc;

/// A method's table in the configuration: `[auth.<name>]`. Its fields are the struct's.
pub trait MethodConfig: Clone + Default + PartialEq + DeserializeOwned {
    /// The method's name: its file's.
    const NAME: &'static str;
    /// Where the configuration does not say it, methods are tried in the order of these numbers.
    const ORDER: u8;
    /// What the configuration's manual shows of it, as comments and TOML; nothing of a table without fields.
    const MANUAL: &'static str;
    /// What can be said of it at the start, before anything is read or asked.
    fn check(&self, whole: &Config) -> Result<(), AuthConfigError>;
    /// The method that it describes.
    fn open(&self, backends: &Backends<'_>) -> Opened;
}

/// What methods judge by.
pub struct Backends<'a> {
    /// Passwords and tokens that are kept here.
    pub access: &'a Arc<Access>,
    /// The way to identity providers.
    pub web: &'a Arc<Web>,
    /// The accounts of this machine; none where nobody's process is known by its connection.
    pub accounts: Option<&'a Arc<dyn SystemAccounts>>,
}

/// A method, as the registry knows it.
pub(crate) struct Entry {
    pub name: &'static str,
    pub order: u8,
    pub manual: &'static str,
    pub read: fn(&Value, &mut Tables) -> Result<(), AuthConfigError>,
    pub check: fn(&Config) -> Result<(), AuthConfigError>,
    pub open: fn(&Config, &Backends<'_>) -> Opened,
}

/// From the names of files to [`Tables`] and [`ALL`].
macro_rules! registry {
    ($($name:ident),*) => {
        /// Every method's table.
        #[derive(Clone, Default, PartialEq)]
        pub struct Tables {
            $(#[doc = concat!("`[auth.", stringify!($name), "]`.")] pub $name: $name::Config,)*
        }

        $(const _: () = assert!(
            $crate::registry::is_named(<$name::Config as MethodConfig>::NAME, stringify!($name)),
            "a method has its file's name"
        );)*

        /// Every method.
        pub(crate) const ALL: &[$crate::registry::Entry] = &[$($crate::registry::Entry {
            name: <$name::Config as MethodConfig>::NAME,
            order: <$name::Config as MethodConfig>::ORDER,
            manual: <$name::Config as MethodConfig>::MANUAL,
            read: |value, tables| $crate::registry::read(value, &mut tables.$name),
            check: |config| MethodConfig::check(&config.tables.$name, config),
            open: |config, backends| MethodConfig::open(&config.tables.$name, backends),
        },)*];
    };
}
pub(crate) use registry;

/// Is it called so? At compile time.
pub(crate) const fn is_named(name: &str, file: &str) -> bool {
    let (name, file) = (name.as_bytes(), file.as_bytes());
    let mut at = 0;
    while at < name.len() && at < file.len() && name[at] == file[at] {
        at += 1;
    }
    at == name.len() && at == file.len()
}

/// All methods, in the order in which they are tried where nothing else is said.
pub(crate) fn all() -> Vec<&'static Entry> {
    let mut all: Vec<&Entry> = ALL.iter().collect();
    all.sort_by_key(|entry| (entry.order, entry.name));
    all
}

/// The names of all methods, in that order.
pub fn method_names() -> Vec<&'static str> {
    all().into_iter().map(|entry| entry.name).collect()
}

/// What the configuration's manual says of the methods' tables.
pub fn manual() -> impl Iterator<Item = &'static str> {
    all().into_iter().map(|entry| entry.manual).filter(|text| !text.is_empty())
}

/// The one of this name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}

pub(crate) fn read<T: MethodConfig>(value: &Value, to: &mut T) -> Result<(), AuthConfigError> {
    *to = table(value, T::NAME, fields::<T>())?;
    Ok(())
}

/// The fields of a struct, as it asks a deserializer for them.
pub(crate) fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Asked<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = Error;
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("only the fields are asked for"))
        }
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("this is no struct"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
            tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut fields: &'static [&'static str] = &[];
    // it ends by an error either way
    let _ = T::deserialize(Asked(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{basic, jupyterhub, jwt, kerberos, tokens};

    #[test]
    fn methods_are_tried_in_this_order() {
        assert_eq!(method_names(), ["tokens", "jwt", "jupyterhub", "kerberos", "peer", "basic"]);
    }

    #[test]
    fn the_fields_of_a_table_are_its_structs() {
        let jwt =
            ["issuer", "audience", "jwks_url", "user_claim", "groups_claim", "admin_groups", "algorithms", "leeway"];
        assert_eq!(fields::<jwt::Config>(), jwt);
        assert_eq!(fields::<jupyterhub::Config>(), ["api_url", "api_token", "service_name"]);
        assert_eq!(fields::<kerberos::Config>(), ["keytab", "service_name", "realms", "clock_skew"]);
        assert_eq!(fields::<basic::Config>(), ["password"]);
        assert_eq!(fields::<tokens::Config>(), [""; 0]);
    }
}
