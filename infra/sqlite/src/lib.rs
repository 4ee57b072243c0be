//! The embedded store of a gateway on one machine: SQLite in WAL mode, one file, owner-only.
//!
//! Reads run on their caller's thread, on connections of their own; all writes go through one thread (`writer.rs`) that commits
//! what waits together. Another process may work on the same file: its commits are noticed ([`SqliteStore::foreign_change`]).
//!
//! Depends on the core alone among ours, and knows nothing of HTTP or of processes. Begin with [`SqliteStore`], then `schema.rs` for what is
//! in the file and `apply.rs` for what a transaction does.

mod accounts;
mod apply;
mod audits;
mod ledger;
mod limits;
mod notes;
mod parsed;
mod pending;
mod room;
mod rows;
mod schema;
mod writer;

use async_trait::async_trait;
use faregate_core::model::{
    Audit, Cluster, ClusterName, Heartbeat, Key, LedgerEntry, Limits, Month, Ms, Record, Scope, Sealed, Stored, Task,
    TaskId, Usage, UserKey, Version,
};
use faregate_core::ports::{
    ActiveRow, Children, LimitItems, Page, StopRequest, Store, StoreError, Touch, TransactError, Write,
};
use parsed::Parsed;
use pending::Pending;
use room::Room;
use rows::{Row, decode};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use writer::Writer;

/// As DynamoDB's: SQLite has no limit near this one, but what is written every few seconds should not be large.
const ITEM_LIMIT: usize = 400 << 10;
/// Connections for reading.
const READERS: usize = 4;
/// How often another process's commits are looked for.
const FOREIGN_PERIOD: Duration = Duration::from_millis(250);

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created or read.
    #[error("the store `{path}` cannot be opened")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refuses it.
    #[error("the store `{path}` cannot be opened: {source}")]
    Sqlite {
        /// Which.
        path: String,
        /// Why.
        source: rusqlite::Error,
    },
    /// It cannot be read.
    #[error(
        "the store `{path}` is damaged ({found}): put back a copy of it (and remove `{path}-wal` and `{path}-shm`), or, to begin anew \
         without the users, limits and clusters that it held, move the whole data directory away"
    )]
    Damaged {
        /// Which.
        path: String,
        /// What SQLite says.
        found: String,
    },
    /// Written by a later version of the program.
    #[error("the store `{path}` has schema {found}, and this program knows {known}: use a newer `faregate`")]
    Newer {
        /// Which.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// The embedded store.
pub struct SqliteStore {
    readers: Vec<Mutex<Connection>>,
    writer: Writer,
    /// Clusters that were read before.
    parsed: Parsed,
    /// The disk that it is on.
    room: Room,
    /// What found no room to be written.
    pending: Pending,
}

fn failed(error: &(dyn std::error::Error + 'static)) -> StoreError {
    match error.downcast_ref::<rusqlite::Error>() {
        Some(full) if room::is_full(full) => {
            StoreError::NoRoom("there is no space left on the disk of the gateway's data directory".to_owned())
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

impl SqliteStore {
    /// Opens (or creates, mode 0600) the store.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        schema::create_private(path)?;
        let writer = schema::connect(path)?;
        let readers = (0..READERS).map(|_| schema::connect(path).map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(SqliteStore {
            readers,
            writer: Writer::start(writer),
            parsed: Parsed::default(),
            room: Room::beside(path),
            pending: Pending::default(),
        })
    }

    /// The same, after a look at every page of the file: a damaged one is refused.
    pub fn open_checked(path: &Path) -> Result<Self, OpenError> {
        let store = SqliteStore::open(path)?;
        schema::check(&store.readers[0].lock().unwrap_or_else(PoisonError::into_inner), path)?;
        Ok(store)
    }

    /// From now on so many bytes must be free on the disk for anything new, and some are held back for what ends clusters.
    pub fn keep_room(&self, least_free: u64) -> std::io::Result<()> {
        self.room.ask_for(least_free);
        self.room.keep()
    }

    /// Returns when another process has changed something.
    pub async fn foreign_change(&self) -> Result<(), StoreError> {
        let before = self.writer.data_version().await?;
        loop {
            tokio::time::sleep(FOREIGN_PERIOD).await;
            if self.writer.data_version().await? != before {
                return Ok(());
            }
        }
    }

    /// Ends writing, and leaves `store.sqlite` whole without its `-wal`. An error says that it needs its `-wal` still.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.writer.close().await
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let free = self.readers.iter().find_map(|reader| reader.try_lock().ok());
        let connection = match free {
            Some(connection) => connection,
            None => self.readers[0].lock().unwrap_or_else(PoisonError::into_inner),
        };
        read(&connection).map_err(|e| failed(&e))
    }

    fn row(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.read(|c| rows::select(c, key))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        let Key { partition, sort } = Key::cluster(name);
        let found = self.read(|c| {
            c.prepare_cached(rows::SELECT)?.query_row(params![partition, sort], |row| self.parsed.find(row)).optional()
        })?;
        let Some(found) = found else { return Ok(None) };
        let Stored { value, version } = self.parsed.cluster(found)?;
        let mut value = Cluster::clone(&value);
        self.pending.apply(&mut value);
        Ok(Some(Stored { value, version }))
    }

    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        let after = rows::after(cursor)?;
        if cursor.is_some_and(|cursor| !cursor.starts_with(user.as_str())) {
            return Err(StoreError::Failed("the cursor is another user's".into()));
        }
        let found = self.read(|c| {
            let sql = "SELECT sort, version, seen_at, body FROM items WHERE partition = ?1 AND sort > ?2 ORDER BY sort LIMIT ?3";
            c.prepare_cached(sql)?
                .query_map(params![user.as_str(), after, limit.max(1) as i64], |row| self.parsed.find(row))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let mut items = found.into_iter().map(|found| self.parsed.cluster(found)).collect::<Result<Vec<_>, _>>()?;
        if !self.pending.is_empty() {
            items.iter_mut().for_each(|item| self.pending.apply(Arc::make_mut(&mut item.value)));
        }
        let full = items.len() == limit.max(1);
        let cursor = full.then(|| items.last().map(|last| last.value.name.to_string())).flatten();
        Ok(Page { items, cursor })
    }

    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        let found = self.read(|c| {
            c.prepare_cached("SELECT sort, version, seen_at, body FROM items WHERE partition = ?1 ORDER BY sort")?
                .query_map(params![name.as_str()], Row::read)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let mut children = Children::default();
        for row in found {
            let version = row.version;
            match decode(name.as_str(), row)? {
                Record::Heartbeat(value) => children.heartbeat = Some(Stored { value, version }),
                Record::Launch(value) => children.launches.push(Stored { value, version }),
                Record::Task(value) => children.tasks.push(Stored { value, version }),
                _ => {}
            }
        }
        Ok(children)
    }

    async fn task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        let Some(row) = self.row(&Key::task(name, id))? else { return Ok(None) };
        let version = row.version;
        match decode(name.as_str(), row)? {
            Record::Task(value) => Ok(Some(Stored { value, version })),
            other => Err(StoreError::Failed(format!("a task's item holds {:?}", other.key()))),
        }
    }

    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        names.iter().map(|name| self.row(&Key::heartbeat(name))?.map(rows::heartbeat).transpose()).collect()
    }

    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        scopes
            .iter()
            .map(|scope| match self.row(&Key::usage(scope))? {
                Some(row) => rows::usage(row),
                None => Ok(Stored { value: Usage::none(scope.clone()), version: 0 }),
            })
            .collect()
    }

    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        use faregate_core::ports::Expect;
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        self.transact(vec![Write::Put { record: Record::Usage(usage.clone()), expect }]).await
    }

    async fn limits(&self) -> Result<LimitItems, StoreError> {
        let mut items = limits::read(self.read(|c| limits::select(c, limits::ITEMS))?);
        if !items.broken.is_empty() {
            items.fall_back(&limits::read(self.read(|c| limits::select(c, limits::KEPT))?));
        }
        Ok(items)
    }

    /// What is kept is read each time: another process may keep, too.
    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        let kept = limits::read(self.read(|c| limits::select(c, limits::KEPT))?);
        let changes = limits::changes(items, &kept)?;
        if changes.is_empty() {
            return Ok(0);
        }
        let many = changes.len();
        let write = move |c: &Connection| {
            changes.iter().try_for_each(|(sort, body)| limits::put(c, limits::KEPT, sort, body.as_deref()))
        };
        self.writer.write(true, write).await.map(|()| many)
    }

    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        let body = limits.map(limits::body).transpose()?;
        let sort = scope.to_string();
        self.writer.write(true, move |c| limits::put(c, limits::ITEMS, &sort, body.as_deref())).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError> {
        Write::check_shape(&writes)?;
        self.writer.write(true, move |c| apply::transact(c, &writes)).await
    }

    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        let (name, digest) = (name.clone(), digest.to_owned());
        self.writer.write(false, move |c| apply::touch(c, &name, &digest, now)).await
    }

    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        let write = || {
            let request = request.clone();
            self.writer.write(true, move |c| apply::stop(c, &request))
        };
        let no_room = |outcome: &Result<_, _>| matches!(outcome, Err(TransactError::Failed(StoreError::NoRoom(_))));
        let mut outcome = write().await;
        if no_room(&outcome) && self.room.release() {
            outcome = write().await;
        }
        if no_room(&outcome) { self.stop_unrecorded(request).await } else { outcome }
    }

    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        let after = rows::after(cursor)?;
        let found = self.read(|c| {
            let sql = "SELECT sort, version, seen_at, body FROM items INDEXED BY active WHERE active = 1 AND sort > ?1 \
                       ORDER BY sort LIMIT ?2";
            c.prepare_cached(sql)?
                .query_map(params![after, limit.max(1) as i64], Row::read)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let cursor = (found.len() == limit.max(1)).then(|| found.last().map(|row| row.sort.clone())).flatten();
        let mut items = Vec::with_capacity(found.len());
        for row in found {
            let Stored { value: mut cluster, version } = rows::cluster(row)?;
            self.pending.apply(&mut cluster);
            cluster.tls_cert = String::new();
            cluster.tls_key = Sealed { key_id: cluster.tls_key.key_id, data: String::new() };
            items.push(ActiveRow { cluster, version });
        }
        Ok(Page { items, cursor })
    }

    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        let from = ledger::from(user, cursor)?;
        let found = self.read(|c| ledger::select(c, month, user, &from))?;
        ledger::page(found)
    }

    async fn audit(&self, audit: &Audit) -> Result<(), StoreError> {
        let write = || {
            let audit = audit.clone();
            self.writer.write(true, move |c| audits::insert(c, &audit))
        };
        let mut outcome = write().await;
        if matches!(outcome, Err(StoreError::NoRoom(_))) && self.room.release() {
            outcome = write().await;
        }
        if matches!(outcome, Err(StoreError::NoRoom(_))) {
            self.audit_unrecorded(audit);
            return Ok(());
        }
        outcome
    }

    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        let after = audits::after(cursor)?;
        let found = self.read(|c| audits::select(c, month, after))?;
        audits::page(found)
    }

    fn check_room(&self) -> Result<(), StoreError> {
        self.room.check()
    }

    fn item_limit(&self) -> usize {
        ITEM_LIMIT
    }

    async fn forget_expired(&self, now: Ms) -> Result<usize, StoreError> {
        let any = self.read(|c| {
            c.prepare_cached("SELECT 1 FROM items WHERE expires_at < ?1 LIMIT 1")?
                .query_row(params![now], |_| Ok(()))
                .optional()
        })?;
        match any {
            Some(()) => self.writer.write(false, move |c| apply::forget(c, now)).await,
            None => Ok(0),
        }
    }
}
