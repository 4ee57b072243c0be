//! A store, and a way to the schedulers, that count what is asked of them.

use async_trait::async_trait;
use faregate_core::model::{
    Audit, Cluster, ClusterName, Heartbeat, LedgerEntry, Limits, Month, Ms, Scope, Stored, Task, TaskId, Usage,
    UserKey, Version,
};
use faregate_core::ports::{
    ActiveRow, Answer, Ask, Children, LimitItems, Page, Question, SchedulerError, Schedulers, StopRequest, Store,
    StoreError, Touch, TransactError, Write,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one method came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Calls.
    pub calls: usize,
    /// Items read.
    pub read: usize,
    /// Items written.
    pub written: usize,
}

/// By method of the store.
pub type Counts = BTreeMap<String, Count>;

/// A store that counts.
pub struct CountingStore {
    inner: Arc<dyn Store>,
    counts: Mutex<Counts>,
}

impl CountingStore {
    /// Counts what goes to this store.
    pub fn new(inner: Arc<dyn Store>) -> CountingStore {
        CountingStore { inner, counts: Mutex::default() }
    }

    /// What was counted, from now on nothing again.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut *lock(&self.counts))
    }

    fn count(&self, method: &str, read: usize, written: usize) {
        let mut counts = lock(&self.counts);
        let count = counts.entry(method.to_owned()).or_default();
        count.calls += 1;
        count.read += read;
        count.written += written;
    }

    fn reads<T, E>(&self, method: &str, result: Result<T, E>, read: impl FnOnce(&T) -> usize) -> Result<T, E> {
        self.count(method, result.as_ref().map_or(0, read), 0);
        result
    }
}

#[async_trait]
impl Store for CountingStore {
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        self.reads("cluster", self.inner.cluster(name).await, |_| 1)
    }

    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        self.reads("clusters", self.inner.clusters(user, cursor, limit).await, |page| page.items.len())
    }

    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        let read = |c: &Children| usize::from(c.heartbeat.is_some()) + c.launches.len() + c.tasks.len();
        self.reads("children", self.inner.children(name).await, read)
    }

    async fn task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        self.reads("task", self.inner.task(name, id).await, |_| 1)
    }

    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        self.reads("heartbeats", self.inner.heartbeats(names).await, Vec::len)
    }

    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        self.reads("usage", self.inner.usage(scopes).await, Vec::len)
    }

    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        self.count("put_usage", 0, 1);
        self.inner.put_usage(usage, version).await
    }

    async fn limits(&self) -> Result<LimitItems, StoreError> {
        self.reads("limits", self.inner.limits().await, |items| items.in_force.len() + items.broken.len())
    }

    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        let kept = self.inner.keep_limits(items).await;
        self.count("keep_limits", items.in_force.len(), *kept.as_ref().unwrap_or(&0));
        kept
    }

    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        self.count("put_limits", 0, 1);
        self.inner.put_limits(scope, limits).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError> {
        self.count("transact", 0, writes.len());
        self.inner.transact(writes).await
    }

    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        self.count("touch", 0, 1);
        self.inner.touch(name, digest, now).await
    }

    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        self.count("stop", 0, 1);
        self.inner.stop(request).await
    }

    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        self.reads("active", self.inner.active(cursor, limit).await, |page| page.items.len())
    }

    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        self.reads("ledger", self.inner.ledger(month, user, cursor).await, |page| page.items.len())
    }

    async fn audit(&self, audit: &Audit) -> Result<(), StoreError> {
        self.count("audit", 0, 1);
        self.inner.audit(audit).await
    }

    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        self.reads("audits", self.inner.audits(month, cursor).await, |page| page.items.len())
    }

    fn item_limit(&self) -> usize {
        self.inner.item_limit()
    }

    async fn forget_expired(&self, now: Ms) -> Result<usize, StoreError> {
        let forgotten = self.inner.forget_expired(now).await;
        self.count("forget_expired", 0, *forgotten.as_ref().unwrap_or(&0));
        forgotten
    }
}

/// What schedulers were asked.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Calls of the port.
    pub calls: usize,
    /// Whose idleness was asked for, and when.
    pub idle: HashMap<ClusterName, Instant>,
    /// Who of these left the question unanswered.
    pub unanswered: HashSet<ClusterName>,
    /// Other questions.
    pub others: usize,
    /// For how long at least one call was under way.
    pub waited: Duration,
    under_way: usize,
    since: Option<Instant>,
}

impl Questions {
    fn begin(&mut self) {
        self.calls += 1;
        self.under_way += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    fn end(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.under_way == 0 {
            self.waited += self.since.take().map(|since| since.elapsed()).unwrap_or_default();
        }
    }
}

/// A way to the schedulers that counts.
pub struct CountingSchedulers {
    inner: Arc<dyn Schedulers>,
    questions: Mutex<Questions>,
}

impl CountingSchedulers {
    /// Counts what goes this way.
    pub fn new(inner: Arc<dyn Schedulers>) -> CountingSchedulers {
        CountingSchedulers { inner, questions: Mutex::default() }
    }

    /// What was counted, from now on nothing again.
    pub fn take(&self) -> Questions {
        std::mem::take(&mut *lock(&self.questions))
    }
}

#[async_trait]
impl Schedulers for CountingSchedulers {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let asked: Vec<_> = asks.iter().map(|ask| (ask.cluster.clone(), ask.question == Question::Idle)).collect();
        if asked.is_empty() {
            return Vec::new();
        }
        let asked_at = Instant::now();
        lock(&self.questions).begin();
        let answers = self.inner.ask(asks).await;
        let mut questions = lock(&self.questions);
        questions.end();
        for ((cluster, idle), answer) in asked.into_iter().zip(&answers) {
            if !idle {
                questions.others += 1;
                continue;
            }
            if answer.is_err() {
                questions.unanswered.insert(cluster.clone());
            }
            questions.idle.insert(cluster, asked_at);
        }
        answers
    }
}
