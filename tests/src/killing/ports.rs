//! The ports of a gateway, each call of which may be its last.

use super::Trap;
use async_trait::async_trait;
use faregate_core::model::{
    Activity, Audit, Cluster, ClusterName, Heartbeat, Launch, LaunchId, LedgerEntry, Limits, Month, Ms, Scope, Stored,
    Task, TaskFacts, TaskId, Usage, UserKey, Version,
};
use faregate_core::ports::{
    ActiveRow, Children, Credentials, LaunchError, Launched, Launcher, LauncherError, LimitItems, Page, Ports,
    PrepareError, StopRequest, Store, StoreError, TaskPage, Touch, TransactError, Wake, Wakes, WakesError, Write,
};
use std::sync::Arc;

/// Store, wakes and launcher under one trap.
pub fn wrap(ports: Ports) -> Ports {
    let trap = Trap::from_env();
    Ports {
        store: Arc::new(Trapped { inner: ports.store, trap: trap.clone() }),
        wakes: Arc::new(Trapped { inner: ports.wakes, trap: trap.clone() }),
        launcher: Arc::new(Trapped { inner: ports.launcher, trap }),
        ..ports
    }
}

struct Trapped<P: ?Sized> {
    inner: Arc<P>,
    trap: Arc<Trap>,
}

#[async_trait]
impl Wakes for Trapped<dyn Wakes> {
    async fn wake(&self, wake: Wake, delay_ms: Ms) -> Result<(), WakesError> {
        self.trap.call("wakes.wake", self.inner.wake(wake, delay_ms)).await
    }
}

#[async_trait]
impl Launcher for Trapped<dyn Launcher> {
    async fn prepare(&self, credentials: &Credentials) -> Result<(), PrepareError> {
        self.trap.call("launcher.prepare", self.inner.prepare(credentials)).await
    }
    async fn discard(&self, cluster: &ClusterName) -> Result<(), LauncherError> {
        self.trap.call("launcher.discard", self.inner.discard(cluster)).await
    }
    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        self.trap.call("launcher.launch", self.inner.launch(launch, now)).await
    }
    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError> {
        self.trap.call("launcher.stop", self.inner.stop(task)).await
    }
    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        self.trap.call("launcher.describe", self.inner.describe(tasks)).await
    }
    async fn activity(&self, task: &TaskId) -> Result<Option<Activity>, LauncherError> {
        self.trap.call("launcher.activity", self.inner.activity(task)).await
    }
    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        self.trap.call("launcher.list_launch", self.inner.list_launch(launch)).await
    }
    async fn list(&self, cursor: Option<&str>) -> Result<TaskPage, LauncherError> {
        self.trap.call("launcher.list", self.inner.list(cursor)).await
    }
}

#[async_trait]
impl Store for Trapped<dyn Store> {
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        self.trap.call("store.cluster", self.inner.cluster(name)).await
    }
    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        self.trap.call("store.clusters", self.inner.clusters(user, cursor, limit)).await
    }
    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        self.trap.call("store.children", self.inner.children(name)).await
    }
    async fn task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        self.trap.call("store.task", self.inner.task(name, id)).await
    }
    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        self.trap.call("store.heartbeats", self.inner.heartbeats(names)).await
    }
    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        self.trap.call("store.usage", self.inner.usage(scopes)).await
    }
    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        self.trap.call("store.put_usage", self.inner.put_usage(usage, version)).await
    }
    async fn limits(&self) -> Result<LimitItems, StoreError> {
        self.trap.call("store.limits", self.inner.limits()).await
    }
    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        self.trap.call("store.keep_limits", self.inner.keep_limits(items)).await
    }
    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        self.trap.call("store.put_limits", self.inner.put_limits(scope, limits)).await
    }
    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError> {
        self.trap.call("store.transact", self.inner.transact(writes)).await
    }
    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        self.trap.call("store.touch", self.inner.touch(name, digest, now)).await
    }
    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        self.trap.call("store.stop", self.inner.stop(request)).await
    }
    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        self.trap.call("store.active", self.inner.active(cursor, limit)).await
    }
    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        self.trap.call("store.ledger", self.inner.ledger(month, user, cursor)).await
    }
    async fn audit(&self, audit: &Audit) -> Result<(), StoreError> {
        self.trap.call("store.audit", self.inner.audit(audit)).await
    }
    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        self.trap.call("store.audits", self.inner.audits(month, cursor)).await
    }
    fn item_limit(&self) -> usize {
        self.inner.item_limit()
    }
    async fn forget_expired(&self, now: Ms) -> Result<usize, StoreError> {
        self.trap.call("store.forget_expired", self.inner.forget_expired(now)).await
    }
}
