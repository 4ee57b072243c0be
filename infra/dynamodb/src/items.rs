//! Records as items, and back.
//!
//! An item is `pk`, `sk`, `version`, `ttl` (seconds, if it is to be forgotten) and `record`, the record's fields by name. Apart from
//! that stand what is read or written alone: a cluster's certificate and key (which the index shall not hold) and its `shard` in the
//! index of the active; what a heartbeat that changes nothing touches. Counters and limits have no `record`: their fields are
//! attributes of the item, as people read and edit them.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_core::model::{
    Cluster, ClusterName, Counts, Heartbeat, Key, Launch, Limits, Record, Scope, Sealed, Stored, Task, Usage, Version,
};
use faregate_core::ports::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Partitions of the index of the active: each takes 1,000 writes a second.
pub(crate) const SHARDS: usize = 8;

const OF_CLUSTER: [&str; 2] = ["tls_cert", "tls_key"];
const OF_HEARTBEAT: [&str; 4] = ["seen_at", "digest", "accepting", "due_at"];

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The primary key.
pub(crate) fn key(key: &Key) -> Item {
    HashMap::from([("pk".to_owned(), text(&key.partition)), ("sk".to_owned(), text(&key.sort))])
}

pub(crate) fn malformed(what: impl std::fmt::Display, problem: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("the item {what} is malformed: {problem}"))
}

/// The whole item of a record at a version.
pub(crate) fn encode(record: &Record, version: Version) -> Result<Item, StoreError> {
    let mut item = key(&record.key());
    item.insert("version".into(), number(version));
    if let Some(at) = record.expires_at() {
        item.insert("ttl".into(), number(at.div_euclid(1000) + 1));
    }
    match record {
        Record::Cluster(cluster) => {
            let (record, aside) = split(cluster_fields(cluster)?, &OF_CLUSTER);
            item.extend(aside);
            item.insert("record".into(), AttributeValue::M(record));
            if cluster.active {
                item.insert("shard".into(), text(shard(&cluster.name)));
            }
        }
        Record::Heartbeat(heartbeat) => {
            let (record, aside) = split(fields(heartbeat)?, &OF_HEARTBEAT);
            item.extend(aside);
            item.insert("record".into(), AttributeValue::M(record));
        }
        Record::Launch(launch) => drop(item.insert("record".into(), AttributeValue::M(fields(launch)?))),
        Record::Task(task) => drop(item.insert("record".into(), AttributeValue::M(fields(task)?))),
        Record::Usage(usage) => {
            item.extend(fields(&usage.counts)?);
            item.insert("changed_at".into(), number(usage.changed_at));
            if usage.paid_at != 0 {
                item.insert("paid_at".into(), number(usage.paid_at));
            }
        }
        Record::Limits { limits, .. } => item.extend(limit_attributes(limits)?),
        Record::Account(account) => drop(item.insert("record".into(), AttributeValue::M(fields(account)?))),
        Record::MachineToken(token) => drop(item.insert("record".into(), AttributeValue::M(fields(token)?))),
        Record::Used(used) => drop(item.insert("record".into(), AttributeValue::M(fields(used)?))),
        Record::Failures(failures) => drop(item.insert("record".into(), AttributeValue::M(fields(failures)?))),
    }
    Ok(item)
}

/// A limits item's attributes: those that are set.
pub(crate) fn limit_attributes(limits: &Limits) -> Result<Item, StoreError> {
    let mut attributes = fields(limits)?;
    attributes.retain(|_, value| !matches!(value, AttributeValue::Null(_)));
    Ok(attributes)
}

/// A cluster's fields. Its options are kept as JSON: DynamoDB has one kind of number, and an option of `2.0` is not one of `2`.
pub(crate) fn cluster_fields(cluster: &Cluster) -> Result<Item, StoreError> {
    let mut fields = fields(cluster)?;
    let options = serde_json::to_string(&cluster.options).map_err(|e| malformed(&cluster.name, e))?;
    fields.insert("options".into(), text(options));
    Ok(fields)
}

fn fields<T: Serialize>(value: &T) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|e| StoreError::Failed(format!("a record cannot be written: {e}")))
}

fn split(mut fields: Item, names: &[&str]) -> (Item, Item) {
    let aside = names.iter().filter_map(|name| fields.remove_entry(*name)).collect();
    (fields, aside)
}

fn shard(name: &ClusterName) -> String {
    let sum: usize = name.as_str().bytes().map(usize::from).sum();
    (sum % SHARDS).to_string()
}

/// The version of an item.
pub(crate) fn version(item: &Item) -> Result<Version, StoreError> {
    let version = item.get("version").and_then(|v| v.as_n().ok());
    version.and_then(|n| n.parse().ok()).ok_or_else(|| malformed(place(item), "it has no `version`"))
}

/// `pk/sk`, for messages.
fn place(item: &Item) -> String {
    let part = |name| item.get(name).and_then(|v| v.as_s().ok()).map_or("?", String::as_str);
    format!("{}/{}", part("pk"), part("sk"))
}

fn record(item: &mut Item, aside: &[&str]) -> Result<Item, StoreError> {
    let Some(AttributeValue::M(mut fields)) = item.remove("record") else {
        return Err(malformed(place(item), "it has no `record`"));
    };
    fields.extend(aside.iter().filter_map(|name| item.remove_entry(*name)));
    Ok(fields)
}

fn parse<T: DeserializeOwned>(place: &str, fields: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(fields).map_err(|e| malformed(place, e))
}

pub(crate) fn stored<T: DeserializeOwned>(mut item: Item, aside: &[&str]) -> Result<Stored<T>, StoreError> {
    let version = version(&item)?;
    let fields = record(&mut item, aside)?;
    Ok(Stored { value: parse(&place(&item), fields)?, version })
}

pub(crate) fn cluster(mut item: Item) -> Result<Stored<Cluster>, StoreError> {
    let version = version(&item)?;
    let mut fields = record(&mut item, &OF_CLUSTER)?;
    let place = place(&item);
    let options = match fields.remove("options") {
        Some(AttributeValue::S(json)) => serde_json::from_str(&json).map_err(|e| malformed(&place, e))?,
        _ => return Err(malformed(&place, "it has no `options`")),
    };
    fields.insert("options".into(), AttributeValue::M(Item::new()));
    let mut value: Cluster = parse(&place, fields)?;
    value.options = options;
    Ok(Stored { value, version })
}

/// A cluster as the index has it: without certificate and key.
pub(crate) fn cluster_in_index(mut item: Item) -> Result<Stored<Cluster>, StoreError> {
    item.insert("tls_cert".into(), text(""));
    let none = Sealed { key_id: String::new(), data: String::new() };
    item.insert("tls_key".into(), AttributeValue::M(fields(&none)?));
    cluster(item)
}

pub(crate) fn heartbeat(item: Item) -> Result<Stored<Heartbeat>, StoreError> {
    stored(item, &OF_HEARTBEAT)
}

pub(crate) fn launch(item: Item) -> Result<Stored<Launch>, StoreError> {
    stored(item, &[])
}

pub(crate) fn task(item: Item) -> Result<Stored<Task>, StoreError> {
    stored(item, &[])
}

pub(crate) fn usage(scope: Scope, item: Item) -> Result<Stored<Usage>, StoreError> {
    let (version, place) = (version(&item)?, place(&item));
    let moment = |name: &str| item.get(name).and_then(|v| v.as_n().ok()).and_then(|n| n.parse().ok()).unwrap_or(0);
    let (changed_at, paid_at) = (moment("changed_at"), moment("paid_at"));
    let counts: Counts = parse(&place, item)?;
    Ok(Stored { value: Usage { scope, counts, changed_at, paid_at }, version })
}

/// What an item holds, whatever it is: by its key.
pub(crate) fn decode(item: Item) -> Result<Stored<Record>, StoreError> {
    let part = |name| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
    let (partition, sort) = (part("pk"), part("sk"));
    fn of<T>(stored: Stored<T>, record: impl FnOnce(T) -> Record) -> Stored<Record> {
        Stored { value: record(stored.value), version: stored.version }
    }
    if let Some(scope) = partition.strip_prefix("usage#") {
        let scope = Scope::try_from(scope.to_owned()).map_err(|e| malformed(&partition, e))?;
        return Ok(of(usage(scope, item)?, Record::Usage));
    }
    match partition.as_str() {
        "accounts" => return Ok(of(stored(item, &[])?, Record::Account)),
        "tokens" => return Ok(of(stored(item, &[])?, Record::MachineToken)),
        "used" => return Ok(of(stored(item, &[])?, Record::Used)),
        "failures" => return Ok(of(stored(item, &[])?, Record::Failures)),
        _ => {}
    }
    Ok(match sort.split_once('#') {
        Some(("launch", _)) => of(launch(item)?, Record::Launch),
        Some(("task", _)) => of(task(item)?, Record::Task),
        _ if sort == "heartbeat" => of(heartbeat(item)?, Record::Heartbeat),
        _ => of(cluster(item)?, |c| Record::Cluster(Box::new(c))),
    })
}

#[cfg(test)]
mod tests;
