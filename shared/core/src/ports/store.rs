//! Records: versions, conditional writes, transactions that say which item failed.

use super::LimitItems;
use crate::model::{
    Amount, Audit, Cluster, ClusterName, Counts, Heartbeat, Key, Launch, LedgerEntry, Limits, Month, Ms, PaceStep,
    Reason, Record, Scope, Status, Stored, Task, Usage, UserKey, Version,
};
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::Arc;

/// Entries on a page of a ledger, or of audits, at most.
pub const ENTRIES_A_PAGE: usize = 200;

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No such item yet.
    Absent,
    /// The item at exactly this version.
    Version(Version),
}

/// One item's part in a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Puts the whole record. Its version becomes 1, or the expected one + 1.
    Put {
        /// What to write.
        record: Record,
        /// On what condition.
        expect: Expect,
    },
    /// Adds to a counter, provided that no count it raises exceeds the ceiling, and none falls below zero.
    /// An absent counter is zero.
    Count {
        /// Whose counter.
        scope: Scope,
        /// What to add.
        delta: Counts,
        /// The most there may be afterwards, for the counts that `delta` raises.
        ceiling: Counts,
        /// When: becomes the counter's [`Usage::changed_at`].
        now: Ms,
        /// What [`Usage::paid_at`] must be, and becomes; none = it stays.
        pace: Option<PaceStep>,
    },
    /// Adds to a cluster's entry in a month's ledger. Only ever beside the conditional write of the task it is billed for.
    Bill {
        /// The month.
        month: Month,
        /// Whose.
        user: String,
        /// Which cluster.
        cluster: ClusterName,
        /// What to add; may be a correction below zero.
        amount: Amount,
    },
}

impl Write {
    /// The item it writes.
    pub fn key(&self) -> Key {
        match self {
            Write::Put { record, .. } => record.key(),
            Write::Count { scope, .. } => Key::usage(scope),
            Write::Bill { month, cluster, .. } => Key::ledger(*month, cluster),
        }
    }

    /// What one transaction may be: 1 to 100 items (DynamoDB's limit), each at most once.
    pub fn check_shape(writes: &[Write]) -> Result<(), StoreError> {
        if !(1..=100).contains(&writes.len()) {
            return Err(StoreError::Failed(format!("a transaction has 1 to 100 items, not {}", writes.len())));
        }
        let mut keys = HashSet::new();
        match writes.iter().map(Write::key).find(|key| !keys.insert(key.clone())) {
            Some(key) => {
                Err(StoreError::Failed(format!("a transaction names the item {}/{} twice", key.partition, key.sort)))
            }
            None => Ok(()),
        }
    }
}

/// An item whose condition did not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The write's place in the transaction.
    pub index: usize,
    /// What the item holds; none = it does not exist.
    pub held: Option<Stored<Record>>,
}

/// The store failed; whether a write happened is unknown.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// Why, in words.
    #[error("the store failed: {0}")]
    Failed(String),
    /// There is no room left to write: nothing was written. Reading works. A sentence that names the place.
    #[error("{0}")]
    NoRoom(String),
}

/// A transaction that did not happen, or may not have.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum TransactError {
    /// Conditions did not hold; nothing was written. Every item that failed is named.
    #[error("{} of the items have changed", .0.len())]
    Conflicts(Vec<Conflict>),
    /// Another transaction was at the same items; nothing was written, and the same again may succeed.
    #[error("another transaction is at the same items")]
    Contention,
    /// The store failed; whether the writes happened is unknown.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// What a heartbeat's conditional write found.
#[derive(Clone, Debug, PartialEq)]
pub enum Touch {
    /// Accepting, and the digest is the same: `seen_at` is now; nothing else changed.
    Same {
        /// Set while the reconciler has not cleared the last change: wake it again.
        due_at: Option<Ms>,
    },
    /// Not written: the digest differs, or it is not accepting.
    Differs(Stored<Heartbeat>),
    /// No such cluster.
    Missing,
}

/// A request to stop, as one conditional write.
#[derive(Clone, Debug, PartialEq)]
pub struct StopRequest {
    /// Which.
    pub name: ClusterName,
    /// Whose it must be; none = anybody's (the cluster itself, an admin).
    pub user: Option<String>,
    /// STOPPED or FAILED.
    pub target: Status,
    /// Why.
    pub reason: Reason,
    /// When.
    pub now: Ms,
}

/// What is in a cluster's own partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Children {
    /// The heartbeat.
    pub heartbeat: Option<Stored<Heartbeat>>,
    /// Launches, by id.
    pub launches: Vec<Stored<Launch>>,
    /// Tasks, by id.
    pub tasks: Vec<Stored<Task>>,
}

/// A page of something.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; none = this was the last.
    pub cursor: Option<String>,
}

/// What the index of the active knows of a cluster: enough for an enforcement run to check it without reading it.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveRow {
    /// Its record without certificate and key, as the index saw it last.
    pub cluster: Cluster,
    /// That record's version.
    pub version: Version,
}

/// The store. Reads are consistent, save the index of the active.
#[async_trait]
pub trait Store: Send + Sync {
    /// One cluster.
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError>;

    /// A page of a user's clusters, oldest first; up to `limit` (at least 1). Shared: a store may keep what it has parsed.
    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError>;

    /// Everything in a cluster's own partition.
    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError>;

    /// One task.
    async fn task(&self, name: &ClusterName, id: &crate::model::TaskId) -> Result<Option<Stored<Task>>, StoreError>;

    /// Heartbeats of many clusters, in the order asked.
    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError>;

    /// Counters, in the order asked; an absent one is zero at version 0.
    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError>;

    /// Writes a recounted counter on the version that was read before the items ([`Store::usage`]; 0 = absent).
    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError>;

    /// All limit items. One that cannot be read counts with the value that [`Store::keep_limits`] last kept of it.
    async fn limits(&self) -> Result<LimitItems, StoreError>;

    /// Remembers the good ones among these items ([`LimitItems::in_force`]), durably, for the day on which one is broken. Writes
    /// what differs from what is remembered, forgets what is no longer there, and says how many that were.
    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError>;

    /// Writes one scope's limits, whatever was there; none removes them.
    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError>;

    /// All or nothing, 1 to 100 items, each at most once.
    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError>;

    /// One conditional write: if the heartbeat item is accepting and has this digest, `seen_at` becomes `now` (and the version
    /// grows). Never [`TransactError::Conflicts`].
    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError>;

    /// One conditional write: [`Cluster::end`] on a cluster whose target is RUNNING. The record as it is afterwards; none when
    /// there is no such cluster of that user. `true` when this call changed it. Never
    /// [`TransactError::Conflicts`].
    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError>;

    /// A page of the active clusters, in no order. Eventually consistent.
    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError>;

    /// A page of a month's ledger: one user's, or everybody's.
    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError>;

    /// Writes an admin's action down. It can be neither changed nor removed.
    async fn audit(&self, audit: &Audit) -> Result<(), StoreError>;

    /// A page of a month's audit records, oldest first.
    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError>;

    /// Fails with [`StoreError::NoRoom`] while there is too little room for anything new, so that some is left for what ends clusters.
    fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The largest item it can hold, in bytes of JSON.
    fn item_limit(&self) -> usize;

    /// Forgets records whose `expires_at` has passed, where the store does not do so by itself. How many it forgot.
    async fn forget_expired(&self, now: Ms) -> Result<usize, StoreError>;
}
