//! Reads the declaration of an option.

use super::InvalidDeclaration;
use super::field::{Alternative, Declaration, Field, Kind, kind_of};
use super::target::Target;
use serde_json::{Value, json};

const KEYS: [&str; 8] = ["field", "type", "label", "default", "min", "max", "target", "options"];
const TYPES: &str = "string, bool, int, float, select, mapping";

/// Reads the declaration at place `n` of the list.
pub(super) fn field(declaration: &Value, n: usize) -> Result<Field, InvalidDeclaration> {
    let name = declaration.get("field").and_then(Value::as_str);
    let option = name.map_or_else(|| format!("#{}", n + 1), str::to_owned);
    read(declaration).map_err(|problem| InvalidDeclaration { option, problem })
}

fn read(declaration: &Value) -> Result<Field, String> {
    let table = declaration.as_object().ok_or("must be a table")?;
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = KEYS.iter().max_by(|a, b| strsim::jaro(a, unknown).total_cmp(&strsim::jaro(b, unknown)));
        return Err(format!("`{unknown}` is unknown; did you mean `{}`?", near.unwrap_or(&"field")));
    }
    let field = text(table, "field")?.ok_or("`field` is missing")?;
    let identifier = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if field.is_empty() || !field.chars().all(identifier) || field.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("`field` must be a Python identifier".into());
    }
    let kind = kind(table)?;
    let target = match (text(table, "target")?, &kind) {
        (Some(target), _) => Some(parse_target(&target)?),
        (None, Kind::Select(alternatives)) if alternatives.iter().all(|a| !a.sets.is_empty()) => None,
        (None, _) => Some(parse_target(&field)?),
    };
    let default = match (table.get("default"), &kind) {
        (Some(Value::Number(n)), Kind::Float { .. }) => json!(n.as_f64()),
        (Some(default), _) => default.clone(),
        (None, Kind::String) => json!(""),
        (None, Kind::Bool) => json!(false),
        (None, Kind::Int { min, .. }) => json!(min.unwrap_or(0)),
        (None, Kind::Float { min, .. }) => json!(min.unwrap_or(0.0)),
        (None, Kind::Select(alternatives)) => json!(alternatives.first().map(|a| &a.key)),
        (None, Kind::Mapping) => json!({}),
    };
    let label = text(table, "label")?.unwrap_or_else(|| field.clone());
    Ok(Field { field, label, default, kind, target, allowed: None })
}

fn kind(table: &Declaration) -> Result<Kind, String> {
    let kind = match text(table, "type")?.as_deref() {
        Some("string") => Kind::String,
        Some("bool") => Kind::Bool,
        Some("int") => {
            let (min, max) = (bound(table, "min", Value::as_i64)?, bound(table, "max", Value::as_i64)?);
            Kind::Int { min, max }
        }
        Some("float") => {
            let (min, max) = (bound(table, "min", Value::as_f64)?, bound(table, "max", Value::as_f64)?);
            Kind::Float { min, max }
        }
        Some("select") => Kind::Select(alternatives(table)?),
        Some("mapping") => Kind::Mapping,
        _ => return Err(format!("`type` must be one of {TYPES}")),
    };
    let above = match kind {
        Kind::Int { min: Some(min), max: Some(max) } if min > max => Some((min.to_string(), max.to_string())),
        Kind::Float { min: Some(min), max: Some(max) } if min > max => Some((min.to_string(), max.to_string())),
        Kind::Int { .. } | Kind::Float { .. } => None,
        _ if table.contains_key("min") || table.contains_key("max") => {
            return Err("`min` and `max` are for int and float".into());
        }
        _ => None,
    };
    match above {
        Some((min, max)) => Err(format!("`min` ({min}) is above `max` ({max})")),
        None => Ok(kind),
    }
}

fn bound<T>(table: &Declaration, key: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, String> {
    let Some(value) = table.get(key) else { return Ok(None) };
    let wanted = if value.is_f64() { "an integer" } else { "a number" };
    read(value).map(Some).ok_or_else(|| format!("`{key}` must be {wanted}, not {}", kind_of(value)))
}

/// `options = ["a", {key = "b", value = 2}, {key = "c", set = {worker_cores = 2}}]`
fn alternatives(table: &Declaration) -> Result<Vec<Alternative>, String> {
    let list = table.get("options").and_then(Value::as_array).ok_or("`options` must be a list of keys")?;
    let mut alternatives: Vec<Alternative> = Vec::new();
    for entry in list {
        let alternative = alternative(table, entry)?;
        if alternatives.iter().any(|a| a.key == alternative.key) {
            return Err(format!("the key `{}` is listed twice", alternative.key));
        }
        alternatives.push(alternative);
    }
    if alternatives.is_empty() { Err("`options` must list at least one key".into()) } else { Ok(alternatives) }
}

fn alternative(table: &Declaration, entry: &Value) -> Result<Alternative, String> {
    let key = entry.as_str().or_else(|| entry.get("key").and_then(Value::as_str));
    let key = key.ok_or("each of `options` must be a text, or a table with `key`")?.to_owned();
    let mut sets = Vec::new();
    if let Some(set) = entry.get("set") {
        for (target, value) in set.as_object().ok_or("`set` must be a table")? {
            sets.push((parse_target(target)?, value.clone()));
        }
    } else if let Some(value) = entry.get("value") {
        let target = text(table, "target")?.or(text(table, "field")?).unwrap_or_default();
        sets.push((parse_target(&target)?, value.clone()));
    }
    Ok(Alternative { key, sets })
}

fn text(table: &Declaration, key: &str) -> Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("`{key}` must be a string, not {}", kind_of(other))),
    }
}

fn parse_target(text: &str) -> Result<Target, String> {
    Target::parse(text).ok_or_else(|| format!("`{text}` is no setting of a cluster; name one with `target`"))
}
