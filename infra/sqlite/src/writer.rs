//! The thread that writes. What waits is committed together, so that many writers share one fsync; each keeps a savepoint of its
//! own, so that one's conflict is nobody else's.

use super::{failed, room};
use faregate_core::ports::{StoreError, TransactError};
use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Writes committed together at most.
const BATCH: usize = 64;

enum Job {
    /// `PRAGMA data_version`: changes when another process commits.
    DataVersion(oneshot::Sender<i64>),
    /// The last one.
    Close(oneshot::Sender<Result<(), StoreError>>),
    /// A write; `durable` when it must be on disk before it is answered.
    Write { durable: bool, work: Work },
}

/// So long the end waits for other processes that read or write.
const CLOSING_BUSY: Duration = Duration::from_secs(1);

/// Works under its savepoint (or not at all, when the transaction could not begin), and leaves the answer for after the commit.
type Work = Box<dyn FnOnce(&Connection, &Result<(), TransactError>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&Result<(), TransactError>)>;

/// The way to the thread; it ends when this is dropped.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

fn gone() -> StoreError {
    StoreError::Failed("the store is closed".into())
}

impl Writer {
    pub fn start(connection: Connection) -> Self {
        let (jobs, inbox) = mpsc::channel();
        std::thread::spawn(move || run(&connection, &inbox));
        Writer { jobs }
    }

    /// Does `work` inside a transaction, and answers once it is committed.
    pub async fn write<T, E>(
        &self,
        durable: bool,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + FromTransact + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection, begun| {
            let outcome = match begun {
                Ok(()) => savepoint(connection, work),
                Err(error) => Err(E::from_transact(error.clone())),
            };
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(error) => outcome.and(Err(E::from_transact(error.clone()))),
                };
                let _ = reply.send(outcome);
            })
        });
        self.jobs.send(Job::Write { durable, work }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    pub async fn data_version(&self) -> Result<i64, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::DataVersion(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Nothing is written after it.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Close(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn run(connection: &Connection, inbox: &mpsc::Receiver<Job>) {
    let mut synchronous = None;
    while let Ok(first) = inbox.recv() {
        let mut next = Some(first);
        let (mut batch, mut durable, mut close) = (Vec::new(), false, None);
        while let Some(job) = next {
            match job {
                Job::DataVersion(reply) => {
                    // an error reads as a change: the host looks again
                    let version = connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap_or(-1);
                    let _ = reply.send(version);
                }
                Job::Close(reply) => {
                    close = Some(reply);
                    break;
                }
                Job::Write { durable: must, work } => {
                    durable |= must;
                    batch.push(work);
                }
            }
            next = if batch.len() < BATCH { inbox.try_recv().ok() } else { None };
        }
        if !batch.is_empty() {
            commit(connection, batch, durable, &mut synchronous);
        }
        if let Some(reply) = close {
            let _ = reply.send(checkpoint(connection));
            return;
        }
    }
}

/// Writes all that is in the `-wal` into the file itself, and empties the `-wal`.
fn checkpoint(connection: &Connection) -> Result<(), StoreError> {
    let busy: bool = connection
        .busy_timeout(CLOSING_BUSY)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)))
        .map_err(|error| failed(&error))?;
    if busy { Err(StoreError::Failed("another process is using the store".into())) } else { Ok(()) }
}

/// One SQLite transaction for the whole batch. Liveness alone needs no fsync: it is nothing to lose.
/// `synchronous`: whether the connection was last told to be durable; telling it costs as much as a small write.
fn commit(connection: &Connection, batch: Vec<Work>, durable: bool, synchronous: &mut Option<bool>) {
    let told = if *synchronous == Some(durable) {
        Ok(())
    } else {
        *synchronous = None;
        execute(connection, if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })
            .inspect(|()| *synchronous = Some(durable))
    };
    let begun = told.and_then(|()| execute(connection, "BEGIN IMMEDIATE"));
    let answers: Vec<Answer> = batch.into_iter().map(|work| work(connection, &begun)).collect();
    let committed = begun.and_then(|()| execute(connection, "COMMIT"));
    if committed.is_err() {
        // nothing of the batch was written
        let _ = execute(connection, "ROLLBACK");
    }
    for answer in answers {
        answer(&committed);
    }
}

fn savepoint<T, E: FromTransact>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    execute(connection, "SAVEPOINT job").map_err(E::from_transact)?;
    let outcome = work(connection);
    if outcome.is_err() {
        execute(connection, "ROLLBACK TO job").map_err(E::from_transact)?;
    }
    execute(connection, "RELEASE job").map_err(E::from_transact)?;
    outcome
}

/// A statement without parameters. Busy (another process writes, for longer than we wait) is contention.
fn execute(connection: &Connection, sql: &str) -> Result<(), TransactError> {
    let done = connection.prepare_cached(sql).and_then(|mut statement| statement.query([])?.next().map(drop));
    done.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => TransactError::Contention,
        _ if room::is_full(&error) => {
            let directory = connection.path().and_then(|path| Path::new(path).parent()).unwrap_or(Path::new("."));
            TransactError::Failed(StoreError::NoRoom(room::no_room(directory)))
        }
        _ => TransactError::Failed(StoreError::Failed(error.to_string())),
    })
}

/// A failed transaction, as the error of one write.
pub(super) trait FromTransact {
    fn from_transact(error: TransactError) -> Self;
}

impl FromTransact for TransactError {
    fn from_transact(error: TransactError) -> Self {
        error
    }
}

impl FromTransact for StoreError {
    fn from_transact(error: TransactError) -> Self {
        match error {
            TransactError::Failed(error) => error,
            other => StoreError::Failed(other.to_string()),
        }
    }
}
