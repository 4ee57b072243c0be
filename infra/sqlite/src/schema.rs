//! The file: private, in WAL mode, with a table of items and one of audit records.

use super::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Counted up with every change of the schema.
const SCHEMA: i64 = 2;
/// How long a write waits for another process's.
const BUSY: Duration = Duration::from_secs(10);

/// `seen_at`, `digest`, `accepting` and `due_at` are a heartbeat's own, beside its body, so that liveness is a small write.
/// `active` is 1 for what is in the index of the active, else null.
///
/// Audit records are only ever added. (`REPLACE` would delete without asking the trigger of deletions: hence the one of insertions.)
///
/// Each schema adds to the one before, so this also brings an older file up to date.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS items (
        partition TEXT NOT NULL,
        sort TEXT NOT NULL,
        version INTEGER NOT NULL,
        expires_at INTEGER,
        active INTEGER,
        seen_at INTEGER,
        digest TEXT,
        accepting INTEGER,
        due_at INTEGER,
        body BLOB NOT NULL,
        PRIMARY KEY (partition, sort)
    );
    CREATE INDEX IF NOT EXISTS active ON items (sort) WHERE active = 1;
    CREATE INDEX IF NOT EXISTS expiring ON items (expires_at) WHERE expires_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS audit (
        month TEXT NOT NULL,
        sort TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (month, sort)
    ) WITHOUT ROWID;
    CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'an audit record cannot be changed'); END;
    CREATE TRIGGER IF NOT EXISTS audit_is_not_deleted BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'an audit record cannot be deleted'); END;
    CREATE TRIGGER IF NOT EXISTS audit_is_not_replaced BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE month = NEW.month AND sort = NEW.sort)
        BEGIN SELECT RAISE(ABORT, 'an audit record cannot be replaced'); END;
";

/// Creates the file with mode 0600, or narrows its mode to that. SQLite gives its `-wal` and `-shm` the mode of the file.
pub(super) fn create_private(path: &Path) -> Result<(), OpenError> {
    let fail = |source| OpenError::File { path: path.display().to_string(), source };
    // an existing file is not opened: closing it would drop the locks of a store that this process has open already
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(fail(error)),
        Ok(_) | Err(_) => {}
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fail)
}

pub(super) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let shown = || path.display().to_string();
    let fail = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Damaged { path: shown(), found: source.to_string() }
        }
        _ => OpenError::Sqlite { path: shown(), source },
    };
    let connection = Connection::open(path).map_err(fail)?;
    connection.busy_timeout(BUSY).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(64);
    // else a statement with a bound LIMIT is compiled again whenever it is bound, at half its cost
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fail)?;
    if found > SCHEMA {
        return Err(OpenError::Newer { path: shown(), found, known: SCHEMA });
    }
    if found < SCHEMA {
        let tables = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;");
        connection.execute_batch(&tables).map_err(fail)?;
    }
    Ok(connection)
}

/// Looks at every page of the file, and compares tables and indexes.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let damaged = |found: String| OpenError::Damaged { path: path.display().to_string(), found };
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| damaged(error.to_string()))?;
    if found == "ok" { Ok(()) } else { Err(damaged(found)) }
}
