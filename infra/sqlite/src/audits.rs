//! What admins did: rows that are only ever added.

use super::failed;
use faregate_core::model::{Audit, Month};
use faregate_core::ports::{ENTRIES_A_PAGE, Page, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

/// The same record twice is once.
pub(super) fn insert(connection: &Connection, audit: &Audit) -> Result<(), StoreError> {
    let (month, sort) = (Month::of(audit.at).to_string(), audit.sort_key());
    let body = serde_json::to_string(audit).map_err(|e| failed(&e))?;
    let held: Option<String> = connection
        .query_row("SELECT body FROM audit WHERE month = ?1 AND sort = ?2", params![month, sort], |row| row.get(0))
        .optional()
        .map_err(|e| failed(&e))?;
    match held {
        Some(held) if held == body => Ok(()),
        Some(_) => Err(StoreError::Failed(format!("an audit record `{sort}` exists, and stays as it is"))),
        None => {
            let insert = "INSERT INTO audit (month, sort, body) VALUES (?1, ?2, ?3)";
            connection.execute(insert, params![month, sort, body]).map(drop).map_err(|e| failed(&e))
        }
    }
}

/// After which sort key a page begins.
pub(super) fn after(cursor: Option<&str>) -> Result<&str, StoreError> {
    match cursor {
        Some(cursor) if !Audit::is_sort_key(cursor) => {
            Err(StoreError::Failed(format!("`{cursor}` is no cursor of this store")))
        }
        cursor => Ok(cursor.unwrap_or_default()),
    }
}

/// Sort keys and bodies.
pub(super) fn select(connection: &Connection, month: Month, after: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare_cached("SELECT sort, body FROM audit WHERE month = ?1 AND sort > ?2 ORDER BY sort LIMIT ?3")?
        .query_map(params![month.to_string(), after, ENTRIES_A_PAGE as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn page(found: Vec<(String, String)>) -> Result<Page<Audit>, StoreError> {
    let full = found.len() == ENTRIES_A_PAGE;
    let cursor = full.then(|| found.last().map(|(sort, _)| sort.clone())).flatten();
    let items = found.iter().map(|(_, body)| serde_json::from_str(body).map_err(|e| failed(&e)));
    Ok(Page { items: items.collect::<Result<_, _>>()?, cursor })
}
