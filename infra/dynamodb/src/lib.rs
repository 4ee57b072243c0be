//! The store on DynamoDB: one table, keys `pk` and `sk`, the index `active`, time to live by `ttl`; and beside it, for what admins
//! did, `<table>-audit`.
//!
//! What is in an item says `items`. Reads are consistent, save those of the index. A conditional write of one item is never sent
//! twice by the SDK: a repeated one would fail on its own success. Transactions carry a token, so they may be.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accounts;
mod active;
mod audits;
mod counts;
mod enforcement_runs;
mod errors;
mod items;
mod ledger;
mod limits;
mod plain;
mod reads;
mod routes;
mod singles;
mod transact;

pub use routes::TableRoutes;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use faregate_core::model::{
    Audit, Cluster, ClusterName, Heartbeat, LedgerEntry, Limits, Month, Ms, Scope, Stored, Task, TaskId, Usage,
    UserKey, Version,
};
use faregate_core::ports::{
    ActiveRow, Children, LimitItems, Page, StopRequest, Store, StoreError, Touch, TransactError, Write,
};
use faregate_core::{Later, later};
use std::sync::Arc;

/// DynamoDB holds 400 KB in an item ("Service, account, and table quotas", Amazon DynamoDB developer guide: 409,600 bytes). JSON is
/// never shorter than the item that is made of it, but for the item's own attributes.
const ITEM_LIMIT: usize = 392 * 1024;

/// The store.
pub struct DynamoStore {
    client: Later<Client>,
    table: String,
}

impl DynamoStore {
    /// The store in this table. The client is made for the first call.
    pub fn new(client: impl FnOnce() -> Client + Send + 'static, table: impl Into<String>) -> Self {
        DynamoStore { client: later(client), table: table.into() }
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        self.get_cluster(name).await
    }

    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        self.query_clusters(user, cursor, limit).await
    }

    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        self.query_children(name).await
    }

    async fn task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        self.get_task(name, id).await
    }

    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        self.get_heartbeats(names).await
    }

    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        self.get_usage(scopes).await
    }

    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        self.write_usage(usage, version).await
    }

    async fn limits(&self) -> Result<LimitItems, StoreError> {
        self.read_limits().await
    }

    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        self.write_kept_limits(items).await
    }

    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        self.write_limits(scope, limits).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError> {
        self.write_all(&writes).await
    }

    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        self.update_seen(name, digest, now).await
    }

    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        self.update_to_stop(request).await
    }

    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        self.scan_active(cursor, limit).await
    }

    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        self.query_ledger(month, user, cursor).await
    }

    async fn audit(&self, audit: &Audit) -> Result<(), StoreError> {
        self.put_audit(audit).await
    }

    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        self.query_audits(month, cursor).await
    }

    fn item_limit(&self) -> usize {
        ITEM_LIMIT
    }

    /// DynamoDB does so by itself, within days ("Using time to live (TTL) in DynamoDB").
    async fn forget_expired(&self, _now: Ms) -> Result<usize, StoreError> {
        Ok(0)
    }
}
