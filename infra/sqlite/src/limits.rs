//! Limit items, and the last good values of them.

use super::failed;
use super::rows::Row;
use faregate_core::model::Limits;
use faregate_core::ports::{LimitItems, StoreError};
use rusqlite::{Connection, params};

/// The partition of the items.
pub(super) const ITEMS: &str = "limits";
/// The partition of the last good values.
pub(super) const KEPT: &str = "limits-in-force";

pub(super) fn select(connection: &Connection, partition: &str) -> rusqlite::Result<Vec<Row>> {
    connection
        .prepare_cached("SELECT sort, version, seen_at, body FROM items WHERE partition = ?1")?
        .query_map(params![partition], Row::read)?
        .collect()
}

pub(super) fn read(found: Vec<Row>) -> LimitItems {
    LimitItems::read(found.into_iter().map(|row| {
        let value = serde_json::from_slice(&row.body).map_err(|e| format!("is no JSON: {e}"));
        (row.sort, value)
    }))
}

/// A row's new body; none = it goes.
type Change = (String, Option<Vec<u8>>);

pub(super) fn changes(items: &LimitItems, kept: &LimitItems) -> Result<Vec<Change>, StoreError> {
    let changes = items.to_keep(kept).into_iter();
    changes.map(|(sort, limits)| Ok((sort, limits.map(body).transpose()?))).collect()
}

pub(super) fn body(limits: &Limits) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(limits).map_err(|e| failed(&e))
}

pub(super) fn put(connection: &Connection, partition: &str, sort: &str, body: Option<&[u8]>) -> Result<(), StoreError> {
    let done = match body {
        Some(body) => connection.execute(
            "INSERT INTO items (partition, sort, version, body) VALUES (?1, ?2, 1, ?3) \
             ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body",
            params![partition, sort, body],
        ),
        None => connection.execute("DELETE FROM items WHERE partition = ?1 AND sort = ?2", params![partition, sort]),
    };
    done.map(drop).map_err(|e| failed(&e))
}
