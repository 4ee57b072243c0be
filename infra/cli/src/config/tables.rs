//! The tables of the configuration: limits, options, sign-in.

use super::error::{Problem, unknown};
use super::value::expected;
use crate::paths::expand;
use faregate_auth as auth;
use faregate_core::model::{Limits, Prices, Scope};
use std::collections::BTreeMap;
use toml::{Table, Value};

fn table<'a>(name: &str, value: &'a Value) -> Result<&'a Table, Problem> {
    value.as_table().ok_or_else(|| Problem::new(name, expected("a table", value)))
}

/// `[limits.<scope>]`.
pub fn limits(value: &Value, to: &mut BTreeMap<Scope, Limits>) -> Result<(), Problem> {
    for (name, value) in table("limits", value)? {
        let path = format!("limits.{name}");
        let scope = Scope::typed(name)
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
pub fn auth(value: &Value, to: &mut auth::Config) -> Result<(), Problem> {
    *to = auth::Config::read(&json("auth", value)?).map_err(|wrong| match wrong {
        auth::AuthConfigError::Unknown { at, name, known } => unknown(&at, &name, known.into_iter()),
        auth::AuthConfigError::Invalid { field, problem } => Problem::new(&field, problem),
    })?;
    if let Some(keytab) = &mut to.tables.kerberos.keytab {
        *keytab = expand(keytab.as_ref()).map_err(|what| Problem::new("auth.kerberos.keytab", what))?;
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
