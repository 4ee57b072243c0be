//! A store whose writes meet other transactions.

use async_trait::async_trait;
use faregate_core::model::{
    Audit, Cluster, ClusterName, Heartbeat, LedgerEntry, Limits, Month, Ms, Scope, Stored, Task, TaskId, Usage,
    UserKey, Version,
};
use faregate_core::ports::{
    ActiveRow, Children, LimitItems, Page, StopRequest, Store, StoreError, Touch, TransactError, Write,
};
use std::sync::Arc;

/// Does a transaction meet another? Of a conditional write of one item no writes are given.
pub type Meets = Box<dyn Fn(&[Write]) -> bool + Send + Sync>;

/// Conditional writes and transactions are refused for others at the same items, when it is said so. Nothing is written then.
pub struct Contended {
    pub inner: Arc<dyn Store>,
    pub meets: Meets,
}

impl Contended {
    fn luck(&self, writes: &[Write]) -> Result<(), TransactError> {
        if (self.meets)(writes) { Err(TransactError::Contention) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Contended {
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        self.inner.cluster(name).await
    }
    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        self.inner.clusters(user, cursor, limit).await
    }
    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        self.inner.children(name).await
    }
    async fn task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        self.inner.task(name, id).await
    }
    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        self.inner.heartbeats(names).await
    }
    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        self.inner.usage(scopes).await
    }
    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        self.luck(&[])?;
        self.inner.put_usage(usage, version).await
    }
    async fn limits(&self) -> Result<LimitItems, StoreError> {
        self.inner.limits().await
    }
    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        self.inner.keep_limits(items).await
    }
    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        self.inner.put_limits(scope, limits).await
    }
    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError> {
        self.luck(&writes)?;
        self.inner.transact(writes).await
    }
    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        self.luck(&[])?;
        self.inner.touch(name, digest, now).await
    }
    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        self.luck(&[])?;
        self.inner.stop(request).await
    }
    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        self.inner.active(cursor, limit).await
    }
    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        self.inner.ledger(month, user, cursor).await
    }
    async fn audit(&self, audit: &Audit) -> Result<(), StoreError> {
        self.inner.audit(audit).await
    }
    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        self.inner.audits(month, cursor).await
    }
    fn item_limit(&self) -> usize {
        self.inner.item_limit()
    }
    async fn forget_expired(&self, now: Ms) -> Result<usize, StoreError> {
        self.inner.forget_expired(now).await
    }
}
