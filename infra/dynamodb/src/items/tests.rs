//! Items that an earlier build wrote are read by this one, and written again as they were: `tests/items.json` has the records of the
//! core's `tests/stored.json`, one by one, as commit 6371e83 wrote them.

use super::*;
use crate::plain;
use faregate_core::ports::LimitItems;
use serde_json::{Value, json};

const ITEMS: &str = include_str!("../../tests/items.json");
const RECORDS: &str = include_str!("../../../../shared/core/tests/stored.json");

/// As DynamoDB's own JSON has it.
fn from_json(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "S" => text(value.as_str().unwrap()),
        "N" => number(value.as_str().unwrap()),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(from_json).collect()),
        "M" => AttributeValue::M(item(value)),
        other => panic!("no kind of value: {other}"),
    }
}

fn item(value: &Value) -> Item {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), from_json(value))).collect()
}

/// The paths at which two items differ.
fn differences(path: &str, was: &Item, is: &Item) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let differ = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
    let named = differ.flat_map(|name| {
        let path = format!("{path}.{name}");
        match (was.get(name), is.get(name)) {
            (Some(AttributeValue::M(was)), Some(AttributeValue::M(is))) => differences(&path, was, is),
            (Some(was), Some(is)) => vec![format!("{path} was {was:?}, and is {is:?}")],
            (Some(was), None) => vec![format!("{path} was {was:?}, and is not written")],
            (None, is) => vec![format!("{path} is new, and is {is:?}")],
        }
    });
    named.collect()
}

fn limits(item: &Item) -> Result<Record, StoreError> {
    let mut attributes = item.clone();
    attributes.retain(|name, _| !["pk", "sk"].contains(&name.as_str()));
    let Some(AttributeValue::S(scope)) = item.get("sk") else { panic!("a sort key") };
    let mut read = LimitItems::read_attributes([(scope.clone(), Ok(plain::attributes(attributes)))]);
    match (read.in_force.pop_first(), read.broken.pop_first()) {
        (Some((scope, limits)), None) => Ok(Record::Limits { scope, limits }),
        (_, problem) => Err(malformed(scope, format!("{problem:?}"))),
    }
}

#[test]
fn items_of_an_earlier_build_are_read_and_written_as_they_were() {
    let (items, records): (Value, Value) =
        (serde_json::from_str(ITEMS).unwrap(), serde_json::from_str(RECORDS).unwrap());
    let (items, records) = (items.as_array().unwrap(), records["records"].as_array().unwrap());
    assert_eq!(items.len(), records.len());
    let mut found = Vec::new();
    for (was, record) in items.iter().map(item).zip(records) {
        let (kind, expected) = (record["record"]["kind"].as_str().unwrap(), &record["record"]);
        // limits have no version: people write them by hand
        let read = match kind {
            "limits" => limits(&was).map(|value| Stored { value, version: 0 }),
            _ => decode(was.clone()),
        };
        let Stored { value, version } = match read {
            Ok(stored) => stored,
            Err(problem) => {
                found.push(format!("{kind}: {problem}"));
                continue;
            }
        };
        let mut is = encode(&value, version).unwrap();
        if kind == "limits" {
            is.remove("version");
        }
        found.extend(differences(kind, &was, &is));
        let value = serde_json::to_value(&value).unwrap();
        if value != *expected {
            found.push(format!("{kind} is {value}, and not {expected}"));
        }
    }
    assert!(found.is_empty(), "an upgrade would lose what is in the table:\n{}", found.join("\n"));
}

#[test]
fn what_differs_is_named() {
    let was = item(&json!({"record": {"M": {"charged": {"N": "1"}, "stray": {"BOOL": true}}}}));
    let is = item(&json!({"record": {"M": {"reserved": {"N": "1"}, "stray": {"BOOL": false}}}}));
    let named = differences("task", &was, &is).join("\n");
    for path in [
        "task.record.charged was",
        "task.record.reserved is new",
        "task.record.stray was Bool(true), and is Bool(false)",
    ] {
        assert!(named.contains(path), "{named}");
    }
}
