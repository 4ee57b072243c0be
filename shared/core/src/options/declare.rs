//! Reads the declaration of an option.

use super::InvalidDeclaration;
use super::field::{Alternative, Declaration, Field, Kind, is_key, kind_of};
use super::target::Target;
use super::unit::{Quantity, Unit};
use serde_json::{Value, json};

/// What a declaration may say: the key, its type, and what it means.
pub const DECLARATION_KEYS: [(&str, &str, &str); 9] = [
    ("field", "text", "The name by which users set it; required, a Python identifier."),
    ("type", "text", "`string`, `bool`, `int`, `float`, `select` or `mapping`; required."),
    ("label", "text", "What people read. Default: the field, with its unit."),
    (
        "default",
        "as `type` says",
        "While users choose nothing. Default: `min`, else 0; the first key of a select; else nothing.",
    ),
    ("min", "number", "The smallest int or float."),
    ("max", "number", "The largest int or float."),
    (
        "unit",
        "text",
        "What a number counts: `GiB`, `MiB` or `B` where memory is set, and then required of a float; `seconds`, `minutes` or `hours` where a duration is.",
    ),
    (
        "target",
        "text",
        "The key of a cluster that it sets, or `environment.NAME`. Default: the key of the field's own name.",
    ),
    (
        "options",
        "list",
        "Of a select: keys, or tables with `key` and `value` (what `target` becomes), or with `key` and `set` (a table of targets).",
    ),
];
/// The smallest number of bytes that can be meant as one: no task has less memory.
const LEAST_BYTES: i64 = 1 << 20;
const TYPES: &str = "string, bool, int, float, select, mapping";

/// Reads the declaration at place `n` of the list.
pub(super) fn field(declaration: &Value, n: usize) -> Result<Field, InvalidDeclaration> {
    let name = declaration.get("field").and_then(Value::as_str);
    let option = name.map_or_else(|| format!("#{}", n + 1), str::to_owned);
    read(declaration).map_err(|problem| InvalidDeclaration { option, problem })
}

fn read(declaration: &Value) -> Result<Field, String> {
    let table = declaration.as_object().ok_or("must be a table")?;
    let known = || DECLARATION_KEYS.iter().map(|(key, ..)| *key);
    if let Some(unknown) = table.keys().find(|key| !known().any(|known| known == *key)) {
        let near = known().max_by(|a, b| strsim::jaro(a, unknown).total_cmp(&strsim::jaro(b, unknown)));
        return Err(format!("`{unknown}` is unknown; did you mean `{}`?", near.unwrap_or("field")));
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
        (Some(default), Kind::Select(alternatives)) => {
            let named = alternatives.iter().find(|a| is_key(default, &a.key));
            named.map_or_else(|| default.clone(), |a| json!(a.key))
        }
        (Some(default), _) => default.clone(),
        (None, Kind::String) => json!(""),
        (None, Kind::Bool) => json!(false),
        (None, Kind::Int { min, .. }) => json!(min.unwrap_or(0)),
        (None, Kind::Float { min, .. }) => json!(min.unwrap_or(0.0)),
        (None, Kind::Select(alternatives)) => json!(alternatives.first().map(|a| &a.key)),
        (None, Kind::Mapping) => json!({}),
    };
    let unit = unit(table, &kind, target.as_ref())?;
    if unit.is_none() {
        refuse_numbers_without_unit(&field, &kind, &default, target.as_ref())?;
    }
    let label = text(table, "label")?.unwrap_or_else(|| match &unit {
        Some(unit) => format!("{field} ({})", unit.name),
        None => field.clone(),
    });
    Ok(Field { field, label, default, kind, target, unit, allowed: None })
}

/// The unit of an int or a float. That of a select is used up where its values are read.
fn unit(table: &Declaration, kind: &Kind, target: Option<&Target>) -> Result<Option<Unit>, String> {
    let Some(name) = text(table, "unit")? else { return Ok(None) };
    match (kind, target) {
        (Kind::Int { .. } | Kind::Float { .. }, Some(target)) => Unit::parse(&name, target).map(Some),
        (Kind::Select(_), _) => Ok(None),
        _ => Err("`unit` is for int, float and select".into()),
    }
}

/// A number of memory without a unit would be bytes, and `2` never is: other gateways' declarations mean GiB by it. Whole bytes that
/// are plausible stay bytes.
fn refuse_numbers_without_unit(
    field: &str,
    kind: &Kind,
    default: &Value,
    target: Option<&Target>,
) -> Result<(), String> {
    if target.and_then(Quantity::of) != Some(Quantity::Memory) {
        return Ok(());
    }
    let refused = match kind {
        Kind::Float { .. } => true,
        Kind::Int { .. } => default.as_i64().is_some_and(|bytes| bytes < LEAST_BYTES),
        _ => false,
    };
    if refused {
        return Err(format!(
            "`unit` is missing: write unit = \"GiB\" where `{field}` is a number of GiB (or \"MiB\"; \"B\" where it is bytes)"
        ));
    }
    Ok(())
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
    let name = entry.get("key").unwrap_or(entry);
    let key = match name {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err("each of `options` must be a text or a number, or a table with such a `key`".into()),
    };
    let mut sets = Vec::new();
    let own_target = || parse_target(&text(table, "target")?.or(text(table, "field")?).unwrap_or_default());
    if let Some(set) = entry.get("set") {
        for (target, value) in set.as_object().ok_or("`set` must be a table")? {
            sets.push((parse_target(target)?, value.clone()));
        }
    } else if let Some(value) = entry.get("value") {
        let target = own_target()?;
        sets.push((target.clone(), with_unit(table, &target, value)?));
    } else if name.is_number() || table.contains_key("unit") {
        // a key that is a number is the value: its text would not be
        let target = own_target()?;
        let number = key.parse().ok().map_or_else(|| json!(key), |number: f64| json!(number));
        let value = if name.is_number() { name } else { &number };
        sets.push((target.clone(), with_unit(table, &target, value)?));
    }
    Ok(Alternative { key, sets })
}

/// A value of a select as the setting has it.
fn with_unit(table: &Declaration, target: &Target, value: &Value) -> Result<Value, String> {
    match text(table, "unit")? {
        Some(name) => Unit::parse(&name, target)?.to_setting(value).map_err(|problem| format!("`value` {problem}")),
        None => Ok(value.clone()),
    }
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
