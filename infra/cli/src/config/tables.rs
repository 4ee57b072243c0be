//! The tables of the configuration: limits, prices, options, sign-in.

use super::Config;
use super::error::{Problem, unknown};
use super::keys::File;
use crate::paths::expand;
use faregate_auth as auth;
use faregate_core::model::{Limits, Scope};
use serde_json::{Map, Value};

/// Puts the tables of a file in.
pub fn read(file: File, to: &mut Config) -> Result<(), Problem> {
    for (name, fields) in file.limits {
        let path = format!("limits.{name}");
        let scope = Scope::typed(&name)
            .map_err(|_| Problem::new(&path, "must be called `default`, `group:<name>` or `user:<name>`"))?;
        to.limits.insert(scope, limits(&path, fields)?);
    }
    let rates = &mut to.policy.prices.default;
    rates.vcpu_hour = file.prices.vcpu_hour.map_or(rates.vcpu_hour, |price| price.0);
    rates.gib_hour = file.prices.gib_hour.map_or(rates.gib_hour, |price| price.0);
    to.options = file.options.into_iter().map(Value::Object).collect();
    if let Some(table) = file.auth {
        to.auth = sign_in(&table)?;
    }
    Ok(())
}

/// `[limits.<scope>]`.
fn limits(path: &str, fields: Map<String, Value>) -> Result<Limits, Problem> {
    let known = known_limits();
    if let Some(name) = fields.keys().find(|name| !known.contains_key(*name)) {
        return Err(unknown(&format!("{path}.{name}"), known.keys().map(String::as_str)));
    }
    Limits::read(&fields.into()).map_err(|wrong| Problem::new(&format!("{path}.{}", wrong.field), wrong.problem))
}

/// The fields of [`Limits`].
pub fn known_limits() -> Map<String, Value> {
    match serde_json::to_value(Limits::default()) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// `[auth]`.
fn sign_in(table: &Value) -> Result<auth::Config, Problem> {
    let mut config = auth::Config::read(table).map_err(|wrong| match wrong {
        auth::AuthConfigError::Unknown { at, name, known } => unknown(&format!("{at}.{name}"), known.into_iter()),
        auth::AuthConfigError::Invalid { field, problem } => Problem::new(&field, problem),
    })?;
    if let Some(keytab) = &mut config.tables.kerberos.keytab {
        *keytab = expand(keytab.as_ref()).map_err(|what| Problem::new("auth.kerberos.keytab", what))?;
    }
    Ok(config)
}
