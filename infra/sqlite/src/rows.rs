//! Rows and records.

use super::failed;
use faregate_core::model::{
    Account, Cluster, Failures, Heartbeat, Key, Launch, Limits, MachineToken, Ms, Record, Scope, Stored, Task, Usage,
    Used, Version,
};
use faregate_core::ports::StoreError;
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;

/// A row as it is read: `sort, version, seen_at, body`.
pub(super) struct Row {
    pub sort: String,
    pub version: Version,
    pub seen_at: Option<Ms>,
    pub body: Vec<u8>,
}

impl Row {
    pub fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
        let version: i64 = row.get(1)?;
        // edited by hand, a body may be text
        let body = row.get_ref(3)?.as_bytes()?.to_vec();
        Ok(Row { sort: row.get(0)?, version: version as u64, seen_at: row.get(2)?, body })
    }
}

/// One item, as [`Row::read`] reads it.
pub(super) const SELECT: &str = "SELECT sort, version, seen_at, body FROM items WHERE partition = ?1 AND sort = ?2";

pub(super) fn select(connection: &Connection, key: &Key) -> rusqlite::Result<Option<Row>> {
    connection.prepare_cached(SELECT)?.query_row(params![key.partition, key.sort], Row::read).optional()
}

/// A page's cursor: the sort key of the last item before it.
pub(super) fn after(cursor: Option<&str>) -> Result<&str, StoreError> {
    match cursor {
        None => Ok(""),
        Some(cursor) if cursor.len() == 32 && cursor.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(cursor),
        Some(cursor) => Err(StoreError::Failed(format!("`{cursor}` is no cursor of this store"))),
    }
}

pub(super) fn parse<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    serde_json::from_slice(&row.body).map_err(|e| failed(&e))
}

pub(super) fn cluster(row: Row) -> Result<Stored<Cluster>, StoreError> {
    Ok(Stored { value: parse(&row)?, version: row.version })
}

pub(super) fn usage(row: Row) -> Result<Stored<Usage>, StoreError> {
    Ok(Stored { value: parse(&row)?, version: row.version })
}

pub(super) fn heartbeat(row: Row) -> Result<Stored<Heartbeat>, StoreError> {
    let mut value: Heartbeat = parse(&row)?;
    value.seen_at = row.seen_at;
    Ok(Stored { value, version: row.version })
}

/// The record of a row, by where it lies: the body itself does not say what it is.
pub(super) fn decode(partition: &str, row: Row) -> Result<Record, StoreError> {
    Ok(match (partition, row.sort.as_str()) {
        ("limits", scope) => {
            let scope = Scope::try_from(scope.to_owned()).map_err(StoreError::Failed)?;
            Record::Limits { scope, limits: parse::<Limits>(&row)? }
        }
        ("accounts", _) => Record::Account(parse::<Account>(&row)?),
        ("tokens", _) => Record::MachineToken(parse::<MachineToken>(&row)?),
        ("used", _) => Record::Used(parse::<Used>(&row)?),
        ("failures", _) => Record::Failures(parse::<Failures>(&row)?),
        (_, "usage") => Record::Usage(parse(&row)?),
        (_, "heartbeat") => Record::Heartbeat(heartbeat(row)?.value),
        (_, sort) if sort.starts_with("launch#") => Record::Launch(parse::<Launch>(&row)?),
        (_, sort) if sort.starts_with("task#") => Record::Task(parse::<Task>(&row)?),
        _ => Record::Cluster(Box::new(parse(&row)?)),
    })
}

/// The body of a record's row.
pub(super) fn encode(record: &Record) -> Result<Vec<u8>, StoreError> {
    match record {
        Record::Cluster(cluster) => serde_json::to_vec(cluster),
        Record::Heartbeat(heartbeat) => serde_json::to_vec(heartbeat),
        Record::Launch(launch) => serde_json::to_vec(launch),
        Record::Task(task) => serde_json::to_vec(task),
        Record::Usage(usage) => serde_json::to_vec(usage),
        Record::Limits { limits, .. } => serde_json::to_vec(limits),
        Record::Account(account) => serde_json::to_vec(account),
        Record::MachineToken(token) => serde_json::to_vec(token),
        Record::Used(used) => serde_json::to_vec(used),
        Record::Failures(failures) => serde_json::to_vec(failures),
    }
    .map_err(|e| failed(&e))
}
