//! What an earlier build stored is read by this one, and written again as it was.
//!
//! `stored.json` is what commit 6371e83 wrote: every kind of record, each field of it at least once with a value that no default has,
//! and what else is kept or under way while a gateway is upgraded. Rows of SQLite hold a record as it is there (without its `kind`);
//! `infra/dynamodb/tests/items.json` has the same records as items.

#![allow(clippy::unwrap_used)]

use faregate_core::model::{Activity, Audit, LedgerEntry, ReasonCode, Record, Status};
use faregate_core::ports::{Route, Wake};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const STORED: &str = include_str!("stored.json");

/// Fields that have come since, by their path, as the differences name them. An earlier build has not written them: they have a default.
const ADDED: &[&str] = &[];

fn differences(path: &str, was: &Value, is: &Value, found: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (name, value) in was {
                match is.get(name) {
                    Some(now) => differences(&format!("{path}.{name}"), value, now, found),
                    None => found.push(format!("{path}.{name} was {value}, and is not written")),
                }
            }
            for (name, value) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
                if !ADDED.contains(&format!("{path}.{name}").as_str()) {
                    found.push(format!("{path}.{name} is new, and is {value}"));
                }
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            for (n, (was, is)) in was.iter().zip(is).enumerate() {
                differences(&format!("{path}[{n}]"), was, is, found);
            }
        }
        _ if was == is => {}
        _ => found.push(format!("{path} was {was}, and is {is}")),
    }
}

/// Reads it, and writes it again: what was read, if it could be, and what became other.
fn again<T: DeserializeOwned + Serialize>(path: &str, was: &Value, found: &mut Vec<String>) -> Option<T> {
    match serde_json::from_value::<T>(was.clone()) {
        Ok(value) => {
            differences(path, was, &serde_json::to_value(&value).unwrap(), found);
            Some(value)
        }
        Err(problem) => {
            found.push(format!("{path}: {problem}"));
            None
        }
    }
}

fn all_again<T: DeserializeOwned + Serialize>(stored: &Value, kind: &str, found: &mut Vec<String>) -> usize {
    let values = stored[kind].as_array().unwrap();
    values.iter().filter_map(|was| again::<T>(kind, was, found)).count()
}

#[test]
fn what_an_earlier_build_stored_is_read_and_written_as_it_was() {
    let stored: Value = serde_json::from_str(STORED).unwrap();
    let mut found = Vec::new();
    let records = stored["records"].as_array().unwrap();
    for entry in records {
        let path = entry["record"]["kind"].as_str().unwrap();
        let Some(record) = again::<Record>(path, &entry["record"], &mut found) else { continue };
        let key = record.key();
        if entry["partition"] != *key.partition || entry["sort"] != *key.sort {
            found.push(format!("{path}: its key was {} {}, and is {key:?}", entry["partition"], entry["sort"]));
        }
        if entry["expires_at"].as_i64() != record.expires_at() {
            found.push(format!("{path}: it was forgotten at {}, not {:?}", entry["expires_at"], record.expires_at()));
        }
    }
    all_again::<LedgerEntry>(&stored, "ledger", &mut found);
    all_again::<Audit>(&stored, "audits", &mut found);
    all_again::<Wake>(&stored, "wakes", &mut found);
    all_again::<Route>(&stored, "routes", &mut found);
    all_again::<ReasonCode>(&stored, "reason_codes", &mut found);
    all_again::<Status>(&stored, "statuses", &mut found);
    all_again::<Activity>(&stored, "activities", &mut found);
    assert!(found.is_empty(), "an upgrade would lose what is stored:\n{}", found.join("\n"));
}

/// Of every kind of record there is one, and of every field one that no default would make good.
#[test]
fn no_field_is_without_a_value() {
    let stored: Value = serde_json::from_str(STORED).unwrap();
    let mut empty = std::collections::BTreeMap::new();
    fn look(path: &str, value: &Value, empty: &mut std::collections::BTreeMap<String, bool>) {
        let none = match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| look(&format!("{path}.{name}"), value, empty));
                false
            }
            Value::Null => true,
            Value::Bool(yes) => !yes,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
        };
        let so_far = empty.entry(path.to_owned()).or_insert(true);
        *so_far = *so_far && none;
    }
    let records = stored["records"].as_array().unwrap();
    records.iter().for_each(|entry| look(entry["record"]["kind"].as_str().unwrap(), &entry["record"], &mut empty));
    let kinds: Vec<&str> = empty.keys().map(String::as_str).filter(|path| !path.contains('.')).collect();
    let all =
        ["account", "cluster", "failures", "heartbeat", "launch", "limits", "machine-token", "task", "usage", "used"];
    assert_eq!(kinds, all);
    let left: Vec<_> = empty.iter().filter(|(_, none)| **none).map(|(path, _)| path).collect();
    assert_eq!(left, Vec::<&String>::new());
}
