//! How people sign in, as it is configured: the same on one machine (`[auth]` of its file) and on AWS (`auth` of the Settings).

use crate::MOST_GROUPS;
use crate::methods::Tables;
use crate::registry::{find, method_names};
use faregate_core::model::{MachineToken, user_name};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use std::collections::{BTreeMap, BTreeSet};

/// How people sign in.
#[derive(Clone, Default, PartialEq)]
pub struct Config {
    /// The ways to sign in, in the order in which they are tried; none = nobody can sign in.
    pub methods: Vec<String>,
    /// Users who are admins, whatever the method.
    pub admins: BTreeSet<String>,
    /// Groups, and who is in them beside those of whom a method says so.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// What is set of each.
    pub tables: Tables,
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthConfigError {
    /// A key that there is not.
    #[error("`{at}.{name}` is not known; there are {}", .known.join(", "))]
    Unknown {
        /// In which table.
        at: String,
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A value that cannot be.
    #[error("`{field}` {problem}")]
    Invalid {
        /// The field, with its tables.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl AuthConfigError {
    /// This field has this problem.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        AuthConfigError::Invalid { field: field.into(), problem: problem.into() }
    }

    pub(crate) fn unknown_method(name: &str) -> Self {
        AuthConfigError::Unknown { at: "auth.methods".into(), name: name.to_owned(), known: method_names() }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the tables hold secrets
        let Config { methods, admins, groups, .. } = self;
        write!(f, "Auth {{ methods: {methods:?}, admins: {admins:?}, groups: {groups:?}, … }}")
    }
}

impl Config {
    /// What stands beside the methods' tables.
    pub const OWN: [&str; 3] = ["methods", "admins", "groups"];

    /// Reads it. Errors name the field, and never quote what may be a secret.
    pub fn read(value: &Value) -> Result<Config, AuthConfigError> {
        let fields = object("auth", value)?;
        // where nothing is said, the tables say it
        let tables = || method_names().into_iter().filter(|name| fields.contains_key(*name));
        let methods = match fields.get("methods") {
            Some(value) => methods(value)?,
            None => tables().map(str::to_owned).collect(),
        };
        if let Some(name) = tables().find(|name| !methods.iter().any(|method| method == name)) {
            return Err(AuthConfigError::invalid(
                format!("auth.{name}"),
                format!("is set, and `auth.methods` does not name `{name}`"),
            ));
        }
        let mut config = Config { methods, ..Config::default() };
        for (name, value) in fields {
            match name.as_str() {
                "methods" => {}
                "admins" => config.admins = users("auth.admins", value)?,
                "groups" => config.groups = groups(value)?,
                _ => match find(name) {
                    Some(method) => (method.read)(value, &mut config.tables)?,
                    None => {
                        let known = Config::OWN.into_iter().chain(method_names()).collect();
                        return Err(AuthConfigError::Unknown { at: "auth".into(), name: name.clone(), known });
                    }
                },
            }
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), AuthConfigError> {
        for method in self.methods.iter().filter_map(|name| find(name)) {
            (method.check)(self)?;
        }
        if let Some(group) = self.groups.keys().find(|group| MachineToken::of_group(group).is_some()) {
            let problem = format!("has `{group}`: a group called `token:…` is a machine token's own");
            return Err(AuthConfigError::invalid("auth.groups", problem));
        }
        let all = self.groups.values().flatten();
        if let Some(user) = all.clone().find(|user| all.clone().filter(|other| other == user).count() > MOST_GROUPS) {
            return Err(AuthConfigError::invalid(
                "auth.groups",
                format!("has `{user}` in more than {MOST_GROUPS} groups"),
            ));
        }
        Ok(())
    }
}

fn object<'a>(field: &str, value: &'a Value) -> Result<&'a Map<String, Value>, AuthConfigError> {
    value.as_object().ok_or_else(|| AuthConfigError::invalid(field, format!("must be a table, not {}", kind(value))))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// One method's table, which has these fields.
pub(crate) fn table<T: DeserializeOwned>(
    value: &Value,
    method: &str,
    known: &[&'static str],
) -> Result<T, AuthConfigError> {
    let at = format!("auth.{method}");
    for (name, value) in object(&at, value)? {
        if !known.contains(&name.as_str()) {
            return Err(AuthConfigError::Unknown { at, name: name.clone(), known: known.to_vec() });
        }
        if value.is_null() {
            return Err(AuthConfigError::invalid(format!("{at}.{name}"), "is null; leave it out instead"));
        }
    }
    serde_path_to_error::deserialize(value.clone()).map_err(|error| {
        let path = error.path();
        let found = path.iter().try_fold(value, |value, part| match part {
            Segment::Map { key } => value.get(key),
            Segment::Seq { index } => value.get(index),
            _ => None,
        });
        if path.iter().next().is_none() {
            // a field is missing, and the message has nothing but its name
            return AuthConfigError::invalid(at.clone(), error.inner().to_string());
        }
        // other messages quote values, and one of them may be a secret
        AuthConfigError::invalid(format!("{at}.{path}"), format!("cannot be {}", found.map_or("so", kind)))
    })
}

fn words<'a>(field: &str, value: &'a Value) -> Result<Vec<&'a str>, AuthConfigError> {
    let words = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    words.ok_or_else(|| AuthConfigError::invalid(field, format!("must be a list of texts, not {}", kind(value))))
}

fn methods(value: &Value) -> Result<Vec<String>, AuthConfigError> {
    let words = words("auth.methods", value)?;
    for (at, name) in words.iter().enumerate() {
        if find(name).is_none() {
            return Err(AuthConfigError::unknown_method(name));
        }
        if words[..at].contains(name) {
            return Err(AuthConfigError::invalid("auth.methods", format!("names `{name}` twice")));
        }
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

fn users(field: &str, value: &Value) -> Result<BTreeSet<String>, AuthConfigError> {
    let name = |name: &str| {
        user_name(name).map_err(|_| {
            AuthConfigError::invalid(field, format!("has `{}`, which no user can be called", name.escape_debug()))
        })
    };
    words(field, value)?.into_iter().map(name).collect()
}

fn groups(value: &Value) -> Result<BTreeMap<String, BTreeSet<String>>, AuthConfigError> {
    let groups = object("auth.groups", value)?.iter();
    groups
        .map(|(name, members)| Ok((name.trim().to_owned(), users(&format!("auth.groups.{name}"), members)?)))
        .collect()
}
