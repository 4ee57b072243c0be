//! `FIELD=VALUE`, as it is written on a command line.

use serde_json::{Map, Number, Value};
use std::str::FromStr;

/// A field of limits, and what it is set to. Whether there is such a field, and whether it can have this value, the limits say.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// It cannot be read.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum InvalidField {
    /// No `=`.
    #[error("`{0}` sets nothing: write `field=value`")]
    NoValue(String),
    /// It looks like JSON, and is none.
    #[error("the value of `{field}` is no JSON: {problem}")]
    NoJson {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two values for one field.
    #[error("`{0}` is set twice")]
    Twice(String),
}

impl FromStr for Field {
    type Err = InvalidField;

    /// The value is a number if it parses as one, JSON if it begins like a list, an object or a quoted text, else it is text.
    fn from_str(text: &str) -> Result<Self, InvalidField> {
        let pair = text.split_once('=').filter(|(name, _)| !name.trim().is_empty());
        let (name, value) = pair.ok_or_else(|| InvalidField::NoValue(text.to_owned()))?;
        let (name, value) = (name.trim().to_owned(), value.trim());
        let value = if let Ok(integer) = value.parse::<i64>() {
            Value::from(integer)
        } else if let Some(number) = value.parse::<f64>().ok().and_then(Number::from_f64) {
            Value::Number(number)
        } else if value.starts_with(['[', '{', '"']) {
            let wrong = |e: serde_json::Error| InvalidField::NoJson { field: name.clone(), problem: e.to_string() };
            serde_json::from_str(value).map_err(wrong)?
        } else {
            Value::from(value)
        };
        Ok(Field { name, value })
    }
}

/// All fields together.
pub(super) fn object(fields: Vec<Field>) -> Result<Map<String, Value>, InvalidField> {
    let mut object = Map::new();
    for Field { name, value } in fields {
        if object.insert(name.clone(), value).is_some() {
            return Err(InvalidField::Twice(name));
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_numbers_json_or_text() {
        for (text, name, value) in [
            ("clusters=2", "clusters", json!(2)),
            ("clusters=-1", "clusters", json!(-1)),
            ("cores=2.5", "cores", json!(2.5)),
            ("budget=1e3", "budget", json!(1000.0)),
            ("memory=64 G", "memory", json!("64 G")),
            ("cores=inf", "cores", json!("inf")),
            ("frozen=a = b", "frozen", json!("a = b")),
            ("frozen=\"7\"", "frozen", json!("7")),
            ("allowed={\"profile\": [\"small\"]}", "allowed", json!({"profile": ["small"]})),
            ("memory=", "memory", json!("")),
        ] {
            assert_eq!(text.parse(), Ok(Field { name: name.into(), value }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = |text: &str| text.parse::<Field>().unwrap_err().to_string();
        assert_eq!(error("clusters"), "`clusters` sets nothing: write `field=value`");
        assert_eq!(error("=2"), "`=2` sets nothing: write `field=value`");
        assert!(error("allowed={profile}").starts_with("the value of `allowed` is no JSON: "));
        let twice = object(vec!["a=1".parse().unwrap(), "a=2".parse().unwrap()]);
        assert_eq!(twice.unwrap_err().to_string(), "`a` is set twice");
    }
}
