//! One option: its type, its bounds, and the check of a value.

use super::InvalidOption;
use super::allowed::Allowed;
use super::json::not_finite;
use super::target::{Overrides, Target};
use super::unit::Unit;
use serde_json::{Map, Value, json};
use std::fmt::Display;

/// The longest text, in bytes.
const LONGEST_TEXT: usize = 4096;
/// How deep a mapping may be nested.
const DEEPEST: usize = 32;
/// The largest mapping, in bytes of JSON.
const LARGEST_MAPPING: usize = 16 << 10;

/// One option.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The keyword users set it by.
    pub field: String,
    /// For people.
    pub label: String,
    /// The value while the user chooses none; always a valid one.
    pub default: Value,
    /// Its type.
    pub kind: Kind,
    pub(super) target: Option<Target>,
    /// What its numbers count; none = what the setting itself counts.
    pub(super) unit: Option<Unit>,
    pub(super) allowed: Option<Allowed>,
}

/// An option's type, as the official client knows them.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Kind {
    String,
    Bool,
    Int { min: Option<i64>, max: Option<i64> },
    Float { min: Option<f64>, max: Option<f64> },
    Select(Vec<Alternative>),
    Mapping,
}

/// One key of a select.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// What users choose.
    pub key: String,
    /// What it sets.
    pub(super) sets: Vec<(Target, Value)>,
}

/// A checked value, normalised.
pub(super) struct Choice {
    pub value: Value,
}

impl Field {
    /// The type as the official client reads it; exactly its keys, or `cluster_options()` breaks as a whole.
    pub(super) fn spec(&self) -> Value {
        match &self.kind {
            Kind::String => json!({"type": "string"}),
            Kind::Bool => json!({"type": "bool"}),
            Kind::Int { min, max } => json!({"type": "int", "min": min, "max": max}),
            Kind::Float { min, max } => json!({"type": "float", "min": min, "max": max}),
            Kind::Select(alternatives) => {
                let keys: Vec<&str> = alternatives.iter().map(|a| a.key.as_str()).collect();
                let shown: Vec<&str> = keys.iter().copied().filter(|key| self.shows(key, &keys)).collect();
                json!({"type": "select", "options": shown})
            }
            Kind::Mapping => json!({"type": "mapping"}),
        }
    }
}

/// What a JSON value is, in a user's words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(n) if n.is_f64() => "a float",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

impl Field {
    /// The default, and for a select each of its keys: what a declaration must be able to do.
    pub(super) fn values_to_try(&self) -> Vec<(Value, String)> {
        let mut values = vec![(self.default.clone(), "default".to_owned())];
        if let Kind::Select(alternatives) = &self.kind {
            values.extend(alternatives.iter().map(|a| (json!(a.key), format!("key `{}`", a.key))));
        }
        values
    }

    /// Checks a value: its type, its size, its bounds.
    pub(super) fn check(&self, value: &Value) -> Result<Choice, InvalidOption> {
        let checked = if has_nul(value) {
            Err("free of NUL characters".into())
        } else if let Some(word) = value.as_str().and_then(not_finite) {
            Err(format!("a finite number, not {word}"))
        } else {
            self.normalise(value)
        };
        let value = checked.map_err(|problem| InvalidOption(format!("`{}` must be {problem}", self.field)))?;
        Ok(Choice { value })
    }

    /// The value as this option has it; else what it must be.
    fn normalise(&self, value: &Value) -> Result<Value, String> {
        let wrong = |wanted: &str| Err(format!("{wanted}, not {}", kind_of(value)));
        match (&self.kind, value) {
            (Kind::String, Value::String(text)) if text.len() > LONGEST_TEXT => {
                Err(format!("at most {LONGEST_TEXT} bytes long, not {}", text.len()))
            }
            (Kind::String, Value::String(_)) | (Kind::Bool, Value::Bool(_)) => Ok(value.clone()),
            (Kind::String, _) => wrong("a string"),
            (Kind::Bool, _) => wrong("a bool"),
            (Kind::Int { min, max }, Value::Number(n)) if !n.is_f64() => {
                let n = n.as_i64().ok_or_else(|| format!("below 2^63, not {n}"))?;
                self.bounded(n, *min, *max)
            }
            (Kind::Int { .. }, _) => wrong("an integer"),
            (Kind::Float { min, max }, Value::Number(n)) => {
                let n = n.as_f64().filter(|n| n.is_finite()).ok_or("a finite number")?;
                self.bounded(n, *min, *max)
            }
            (Kind::Float { .. }, _) => wrong("a number"),
            (Kind::Select(alternatives), Value::String(_) | Value::Number(_)) => selected(alternatives, value),
            (Kind::Select(_), _) => wrong("a string"),
            (Kind::Mapping, Value::Object(_)) => mapping(value),
            (Kind::Mapping, _) => wrong("a mapping"),
        }
    }

    fn bounded<N: PartialOrd + Display>(&self, n: N, min: Option<N>, max: Option<N>) -> Result<Value, String>
    where
        Value: From<N>,
    {
        let unit = self.unit.as_ref().map(|unit| format!(" {}", unit.name)).unwrap_or_default();
        match (min, max) {
            (Some(min), _) if n < min => Err(format!("at least {min}{unit}, not {n}")),
            (_, Some(max)) if n > max => Err(format!("at most {max}{unit}, not {n}")),
            _ => Ok(n.into()),
        }
    }

    /// Sets what a checked value stands for.
    pub(super) fn choose(&self, choice: &Choice, overrides: &mut Overrides) -> Result<(), InvalidOption> {
        if let Kind::Select(alternatives) = &self.kind
            && let Some(chosen) = alternatives.iter().find(|a| choice.value == a.key && !a.sets.is_empty())
        {
            return chosen.sets.iter().try_for_each(|(target, value)| overrides.set(&self.field, target, value));
        }
        let Some(target) = &self.target else { return Ok(()) };
        let value = match &self.unit {
            Some(unit) => unit
                .to_setting(&choice.value)
                .map_err(|problem| InvalidOption(format!("`{}` {problem}", self.field)))?,
            None => choice.value.clone(),
        };
        overrides.set(&self.field, target, &value)
    }
}

/// The key that is meant.
fn selected(alternatives: &[Alternative], value: &Value) -> Result<Value, String> {
    if let Some(chosen) = alternatives.iter().find(|a| is_key(value, &a.key)) {
        return Ok(json!(chosen.key));
    }
    let keys: Vec<String> = alternatives.iter().map(|a| format!("`{}`", a.key)).collect();
    let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let shown: String = key.chars().take(64).collect();
    Err(format!("one of {}, not `{shown}`", keys.join(", ")))
}

/// A mapping that is neither too deep nor too large.
fn mapping(value: &Value) -> Result<Value, String> {
    if depth(value) > DEEPEST {
        return Err(format!("nested at most {DEEPEST} deep"));
    }
    let size = value.to_string().len();
    if size > LARGEST_MAPPING {
        return Err(format!("at most {LARGEST_MAPPING} bytes of JSON, not {size}"));
    }
    Ok(value.clone())
}

/// Does a choice name this key of a select? Keys are texts for the official client; a number names the key that reads as it.
pub(super) fn is_key(value: &Value, key: &str) -> bool {
    value.as_str().map_or_else(|| value.as_f64().is_some_and(|n| key.parse() == Ok(n)), |text| text == key)
}

/// Is there a NUL in one of its texts? No command or variable can hold one.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// How deep a value is nested.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Object access for declarations.
pub(super) type Declaration = Map<String, Value>;
