//! The tables of the configuration: limits, options, sign-in.

use super::error::{Problem, unknown};
use super::value::{expected, words};
use faregate::model::{Limits, Scope, valid_user};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Ways to sign in that this version has.
pub const METHODS: [&str; 1] = ["basic"];

/// Who may sign in, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// Ways to sign in; never empty.
    pub methods: Vec<String>,
    /// Users with the role of an administrator.
    pub admins: Vec<String>,
    /// The password all users share; none = everybody is believed.
    pub basic_password: Option<String>,
}

impl Default for Auth {
    fn default() -> Self {
        Auth { methods: vec!["basic".to_owned()], admins: Vec::new(), basic_password: None }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.basic_password.as_ref().map(|_| "…");
        let Auth { methods, admins, .. } = self;
        write!(f, "Auth {{ methods: {methods:?}, admins: {admins:?}, basic_password: {password:?} }}")
    }
}

fn table<'a>(name: &str, value: &'a Value) -> Result<&'a Table, Problem> {
    value.as_table().ok_or_else(|| Problem::new(name, expected("a table", value)))
}

/// `[limits.<scope>]`.
pub fn limits(value: &Value, to: &mut BTreeMap<Scope, Limits>) -> Result<(), Problem> {
    for (name, value) in table("limits", value)? {
        let path = format!("limits.{name}");
        let scope = Scope::try_from(name.clone())
            .map_err(|_| Problem::new(&path, "must be called `default`, `group:<name>` or `user:<name>`"))?;
        to.insert(scope, one_scope(&path, table(&path, value)?)?);
    }
    Ok(())
}

fn one_scope(path: &str, table: &Table) -> Result<Limits, Problem> {
    let known = known_limits();
    let mut all = serde_json::Map::new();
    for (name, value) in table {
        if NOT_ENFORCED.contains(&name.as_str()) {
            return Err(Problem::new(&format!("{path}.{name}"), "is not enforced by this version"));
        }
        if !known.contains_key(name) {
            return Err(unknown(path, name, known.keys().map(String::as_str)));
        }
        let place = format!("{path}.{name}");
        let json = json(&place, value)?;
        let negative = value.as_integer().is_some_and(|n| n < 0) || value.as_float().is_some_and(|n| n < 0.0);
        if negative {
            return Err(Problem::new(&place, expected("0 or more", value)));
        }
        // each field is read alone, so that an error has its name
        let alone = serde_json::Map::from_iter([(name.clone(), json.clone())]);
        serde_json::from_value::<Limits>(alone.into())
            .map_err(|error| Problem::new(&place, format!("is wrong: {error}")))?;
        all.insert(name.clone(), json);
    }
    serde_json::from_value(all.into()).map_err(|error| Problem::new(path, format!("is wrong: {error}")))
}

/// Fields of [`Limits`] that nothing looks at yet: better refused than believed in.
const NOT_ENFORCED: [&str; 2] = ["allowed", "budget"];

/// The fields of [`Limits`] that are enforced.
pub fn known_limits() -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(Limits::default()) {
        Ok(serde_json::Value::Object(mut fields)) => {
            fields.retain(|name, _| !NOT_ENFORCED.contains(&name.as_str()));
            fields
        }
        _ => serde_json::Map::new(),
    }
}

/// `[[options]]`.
pub fn options(value: &Value, to: &mut Vec<serde_json::Value>) -> Result<(), Problem> {
    let list = value
        .as_array()
        .ok_or_else(|| Problem::new("options", "must be a list of tables, each written `[[options]]`"))?;
    for (index, option) in list.iter().enumerate() {
        let path = format!("options[{index}]");
        to.push(json(&path, &Value::Table(table(&path, option)?.clone()))?);
    }
    Ok(())
}

/// `[auth]`.
pub fn auth(value: &Value, to: &mut Auth) -> Result<(), Problem> {
    for (name, value) in table("auth", value)? {
        let wrong = |what: String| Problem::new(&format!("auth.{name}"), what);
        match name.as_str() {
            "methods" => {
                to.methods = words(value).map_err(wrong)?;
                if to.methods.is_empty() {
                    return Err(wrong("must name at least one method: `basic`".to_owned()));
                }
                if let Some(method) = to.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
                    return Err(unknown("auth.methods", method, METHODS.into_iter()));
                }
            }
            "admins" => {
                to.admins = words(value).map_err(wrong)?;
                if let Some(name) = to.admins.iter().find(|name| valid_user(name).is_err()) {
                    return Err(wrong(format!("has `{}`, which no user can be called", name.escape_debug())));
                }
            }
            "basic" => basic(table("auth.basic", value)?, to)?,
            _ => return Err(unknown("auth", name, ["methods", "admins", "basic"].into_iter())),
        }
    }
    Ok(())
}

fn basic(table: &Table, to: &mut Auth) -> Result<(), Problem> {
    for (name, value) in table {
        match name.as_str() {
            "password" => match value.as_str() {
                Some(password) if !password.is_empty() => to.basic_password = Some(password.to_owned()),
                _ => {
                    let what = "must be text of at least one character; leave it out to let everybody in";
                    return Err(Problem::new("auth.basic.password", what));
                }
            },
            _ => return Err(unknown("auth.basic", name, ["password"].into_iter())),
        }
    }
    Ok(())
}

/// TOML's values as JSON's, where they have the same.
fn json(path: &str, value: &Value) -> Result<serde_json::Value, Problem> {
    Ok(match value {
        Value::String(text) => text.clone().into(),
        Value::Integer(n) => (*n).into(),
        Value::Float(n) if n.is_finite() => (*n).into(),
        Value::Float(_) => return Err(Problem::new(path, expected("a finite number", value))),
        Value::Boolean(b) => (*b).into(),
        Value::Datetime(_) => return Err(Problem::new(path, expected("text, a number, a list or a table", value))),
        Value::Array(list) => {
            let items: Result<Vec<_>, _> =
                list.iter().enumerate().map(|(i, item)| json(&format!("{path}[{i}]"), item)).collect();
            items?.into()
        }
        Value::Table(table) => {
            let mut object = serde_json::Map::new();
            for (name, item) in table {
                object.insert(name.clone(), json(&format!("{path}.{name}"), item)?);
            }
            object.into()
        }
    })
}
