//! One transaction's writes, applied inside SQLite's.

use super::rows::{self, Row, decode, encode};
use super::{ITEM_LIMIT, failed, ledger};
use faregate_core::model::{Cluster, ClusterName, Counts, Key, Ms, PaceStep, Record, Scope, Stored, Usage};
use faregate_core::ports::{Conflict, Expect, StopRequest, StoreError, Touch, TransactError, Write};
use rusqlite::{Connection, OptionalExtension, params};

/// Applies the writes. When any fails, the caller rolls all of them back.
pub(super) fn transact(connection: &Connection, writes: &[Write]) -> Result<(), TransactError> {
    let mut conflicts = Vec::new();
    for (index, write) in writes.iter().enumerate() {
        let done = match write {
            Write::Put { record, expect } => put(connection, record, *expect)?,
            Write::Count { scope, delta, ceiling, now, pace } => {
                count(connection, scope, *delta, *ceiling, *now, *pace)?
            }
            Write::Bill { month, user, cluster, amount } => {
                ledger::bill(connection, *month, user, cluster, *amount)?;
                true
            }
        };
        if !done {
            conflicts.push(Conflict { index, held: held(connection, &write.key())? });
        }
    }
    if conflicts.is_empty() { Ok(()) } else { Err(TransactError::Conflicts(conflicts)) }
}

fn held(connection: &Connection, key: &Key) -> Result<Option<Stored<Record>>, StoreError> {
    let Some(row) = rows::select(connection, key).map_err(|e| failed(&e))? else { return Ok(None) };
    let version = row.version;
    Ok(Some(Stored { value: decode(&key.partition, row)?, version }))
}

fn put(connection: &Connection, record: &Record, expect: Expect) -> Result<bool, TransactError> {
    let key = record.key();
    let body = encode(record)?;
    if body.len() > ITEM_LIMIT {
        let problem =
            format!("the item {}/{} has {} bytes, and {ITEM_LIMIT} is the limit", key.partition, key.sort, body.len());
        return Err(StoreError::Failed(problem).into());
    }
    let active = matches!(record, Record::Cluster(c) if c.active).then_some(1);
    let (seen_at, digest, accepting, due_at) = match record {
        Record::Heartbeat(h) => (h.seen_at, h.digest.as_deref(), Some(h.accepting), h.due_at),
        _ => (None, None, None, None),
    };
    let changed = match expect {
        Expect::Absent => connection
            .prepare_cached(
                "INSERT INTO items (partition, sort, version, expires_at, active, seen_at, digest, accepting, due_at, body) \
                 VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    key.partition, key.sort, record.expires_at(), active, seen_at, digest, accepting, due_at, body
                ])
            }),
        Expect::Version(version) => connection
            .prepare_cached(
                "UPDATE items SET version = version + 1, expires_at = ?3, active = ?4, seen_at = ?5, digest = ?6, \
                 accepting = ?7, due_at = ?8, body = ?9 WHERE partition = ?1 AND sort = ?2 AND version = ?10",
            )
            .and_then(|mut update| {
                update.execute(params![
                    key.partition, key.sort, record.expires_at(), active, seen_at, digest, accepting, due_at, body,
                    version as i64
                ])
            }),
    };
    Ok(changed.map_err(|e| failed(&e))? == 1)
}

fn count(
    connection: &Connection,
    scope: &Scope,
    delta: Counts,
    ceiling: Counts,
    now: Ms,
    pace: Option<PaceStep>,
) -> Result<bool, TransactError> {
    let row = rows::select(connection, &Key::usage(scope)).map_err(|e| failed(&e))?;
    let (before, expect) = match row {
        Some(row) => {
            let Stored { value, version } = rows::usage(row)?;
            (value, Expect::Version(version))
        }
        None => (Usage::none(scope.clone()), Expect::Absent),
    };
    let counts = before.counts + delta;
    let Some(paid_at) = pace.map_or(Some(before.paid_at), |step| step.apply(before.paid_at)) else { return Ok(false) };
    let over = |is: i64, most: i64, raised: i64| raised > 0 && is > most;
    if counts.any_negative()
        || over(counts.clusters, ceiling.clusters, delta.clusters)
        || over(counts.workers, ceiling.workers, delta.workers)
        || over(counts.millicores, ceiling.millicores, delta.millicores)
        || over(counts.memory_bytes, ceiling.memory_bytes, delta.memory_bytes)
    {
        return Ok(false);
    }
    put(connection, &Record::Usage(Usage { counts, changed_at: now, paid_at, ..before }), expect)
}

/// The liveness write: one small update.
pub(super) fn touch(
    connection: &Connection,
    name: &ClusterName,
    digest: &str,
    now: Ms,
) -> Result<Touch, TransactError> {
    let due_at: Option<Option<Ms>> = connection
        .prepare_cached(
            "UPDATE items SET seen_at = ?3, version = version + 1 \
             WHERE partition = ?1 AND sort = 'heartbeat' AND digest = ?2 AND accepting = 1 RETURNING due_at",
        )
        .and_then(|mut update| update.query_row(params![name.as_str(), digest, now], |row| row.get(0)).optional())
        .map_err(|e| failed(&e))?;
    if let Some(due_at) = due_at {
        return Ok(Touch::Same { due_at });
    }
    match rows::select(connection, &Key::heartbeat(name)).map_err(|e| failed(&e))? {
        Some(row) => Ok(Touch::Differs(rows::heartbeat(row)?)),
        None => Ok(Touch::Missing),
    }
}

pub(super) fn stop(
    connection: &Connection,
    request: &StopRequest,
) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
    let row: Option<Row> = rows::select(connection, &Key::cluster(&request.name)).map_err(|e| failed(&e))?;
    let Some(mut stored) = row.map(rows::cluster).transpose()? else { return Ok(None) };
    if request.user.as_ref().is_some_and(|user| *user != stored.value.user) {
        return Ok(None);
    }
    if !stored.value.wants_to_run() {
        return Ok(Some((stored, false)));
    }
    stored.value.end(request.target, request.reason.clone(), request.now);
    let record = Record::Cluster(Box::new(stored.value.clone()));
    match put(connection, &record, Expect::Version(stored.version)) {
        Ok(true) => {
            stored.version += 1;
            Ok(Some((stored, true)))
        }
        Ok(false) => Err(StoreError::Failed("the record changed inside its own transaction".into()).into()),
        Err(error) => Err(error),
    }
}

pub(super) fn forget(connection: &Connection, now: Ms) -> Result<usize, StoreError> {
    connection.execute("DELETE FROM items WHERE expires_at < ?1", params![now]).map_err(|e| failed(&e))
}
