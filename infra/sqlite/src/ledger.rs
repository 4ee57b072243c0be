//! The ledger: one row per month and cluster, added to in the transaction of what is billed.

use super::failed;
use super::rows::{self, Row};
use faregate_core::model::{Amount, ClusterName, Key, LedgerEntry, Month, UserKey};
use faregate_core::ports::{ENTRIES_A_PAGE, Page, StoreError};
use rusqlite::{Connection, params};

pub(super) fn bill(
    connection: &Connection,
    month: Month,
    user: &str,
    cluster: &ClusterName,
    amount: Amount,
) -> Result<(), StoreError> {
    let key = Key::ledger(month, cluster);
    let before = rows::select(connection, &key).map_err(|e| failed(&e))?.map(entry).transpose()?;
    let before = before.map(|entry| entry.amount).unwrap_or_default();
    let entry = LedgerEntry { month, user: user.to_owned(), cluster: cluster.clone(), amount: before + amount };
    let body = serde_json::to_vec(&entry).map_err(|e| failed(&e))?;
    let done = connection
        .prepare_cached(
            "INSERT INTO items (partition, sort, version, body) VALUES (?1, ?2, 1, ?3) \
             ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body",
        )
        .and_then(|mut insert| insert.execute(params![key.partition, key.sort, body]));
    done.map(drop).map_err(|e| failed(&e))
}

/// After which sort key a page begins: the cursor, or the first of the user's clusters.
pub(super) fn from(user: Option<&UserKey>, cursor: Option<&str>) -> Result<String, StoreError> {
    if let (Some(user), Some(cursor)) = (user, cursor)
        && !cursor.starts_with(user.as_str())
    {
        return Err(StoreError::Failed("the cursor is another user's".into()));
    }
    let first = user.map_or("", UserKey::as_str);
    Ok(rows::after(cursor)?.max(first).to_owned())
}

pub(super) fn select(
    connection: &Connection,
    month: Month,
    user: Option<&UserKey>,
    after: &str,
) -> rusqlite::Result<Vec<Row>> {
    // `g` is after every hexadecimal digit
    let until = format!("{}g", user.map_or("", UserKey::as_str));
    let sql = "SELECT sort, version, seen_at, body FROM items WHERE partition = ?1 AND sort > ?2 AND sort < ?3 \
               ORDER BY sort LIMIT ?4";
    connection
        .prepare_cached(sql)?
        .query_map(params![format!("ledger#{month}"), after, until, ENTRIES_A_PAGE as i64], Row::read)?
        .collect()
}

pub(super) fn page(found: Vec<Row>) -> Result<Page<LedgerEntry>, StoreError> {
    let full = found.len() == ENTRIES_A_PAGE;
    let cursor = full.then(|| found.last().map(|row| row.sort.clone())).flatten();
    Ok(Page { items: found.into_iter().map(entry).collect::<Result<_, _>>()?, cursor })
}

fn entry(row: Row) -> Result<LedgerEntry, StoreError> {
    serde_json::from_slice(&row.body).map_err(|e| failed(&e))
}
