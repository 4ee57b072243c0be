//! The tables of the configuration: limits, options, sign-in.

use super::error::{Problem, unknown};
use super::value::{expected, words};
use faregate::api::auth::MOST_GROUPS;
use faregate::model::{Limits, Prices, Scope, valid_user};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Groups, and who is in them.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// The password all users share; none = everybody is believed.
    pub basic_password: Option<String>,
}

impl Default for Auth {
    fn default() -> Self {
        Auth { methods: vec!["basic".to_owned()], admins: Vec::new(), groups: BTreeMap::new(), basic_password: None }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.basic_password.as_ref().map(|_| "…");
        let Auth { methods, admins, groups, .. } = self;
        write!(
            f,
            "Auth {{ methods: {methods:?}, admins: {admins:?}, groups: {groups:?}, basic_password: {password:?} }}"
        )
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
        if !known.contains_key(name) {
            return Err(unknown(path, name, known.keys().map(String::as_str)));
        }
        all.insert(name.clone(), json(&format!("{path}.{name}"), value)?);
    }
    Limits::read(&all.into()).map_err(|wrong| Problem::new(&format!("{path}.{}", wrong.field), wrong.problem))
}

/// The fields of [`Limits`].
pub fn known_limits() -> serde_json::Map<String, serde_json::Value> {
    match serde_json::to_value(Limits::default()) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}

/// `[prices]`: what a vCPU and a GiB of memory cost for an hour, in US dollars.
pub fn prices(value: &Value, to: &mut Prices) -> Result<(), Problem> {
    for (name, value) in table("prices", value)? {
        let slot = match name.as_str() {
            "vcpu_hour" => &mut to.default.vcpu_hour,
            "gib_hour" => &mut to.default.gib_hour,
            _ => return Err(unknown("prices", name, ["vcpu_hour", "gib_hour"].into_iter())),
        };
        let price = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
        let price = price.filter(|price| (0.0..=1e6).contains(price));
        let what = || expected("a number of US dollars from 0 to 1000000", value);
        *slot = price.ok_or_else(|| Problem::new(&format!("prices.{name}"), what()))?;
    }
    Ok(())
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
            "groups" => groups(table("auth.groups", value)?, to)?,
            "basic" => basic(table("auth.basic", value)?, to)?,
            _ => return Err(unknown("auth", name, ["methods", "admins", "groups", "basic"].into_iter())),
        }
    }
    Ok(())
}

fn groups(table: &Table, to: &mut Auth) -> Result<(), Problem> {
    for (name, members) in table {
        let wrong = |what: String| Problem::new(&format!("auth.groups.{name}"), what);
        let members: BTreeSet<String> = words(members).map_err(wrong)?.into_iter().collect();
        if let Some(member) = members.iter().find(|member| valid_user(member).is_err()) {
            return Err(wrong(format!("has `{}`, which no user can be called", member.escape_debug())));
        }
        to.groups.insert(name.clone(), members);
    }
    let all = to.groups.values().flatten();
    if let Some(user) = all.clone().find(|user| all.clone().filter(|other| other == user).count() > MOST_GROUPS) {
        return Err(Problem::new("auth.groups", format!("has `{user}` in more than {MOST_GROUPS} groups")));
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
