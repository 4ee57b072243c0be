//! The store's records in memory: what the port's contract says, and no more.

use super::books::{Audits, Ledger, LimitTable};
use faregate_core::model::{
    Cluster, ClusterName, Heartbeat, Key, Launch, LaunchId, Limits, Ms, Record, Scope, Sealed, Stored, Task, TaskId,
    Usage, Version,
};
use faregate_core::ports::{
    ActiveRow, Children, Conflict, Expect, Page, StopRequest, StoreError, Touch, TransactError, Write,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long the index of the active may show what was.
pub const INDEX_LAG_MS: Ms = 20_000;

/// What is in a cluster's own partition.
#[derive(Default)]
pub struct Nest {
    /// Its heartbeat.
    pub heartbeat: Option<Stored<Heartbeat>>,
    /// Its launches.
    pub launches: BTreeMap<LaunchId, Stored<Launch>>,
    /// Its tasks.
    pub tasks: BTreeMap<TaskId, Stored<Task>>,
}

type Row = Option<(Arc<Cluster>, Version)>;

/// All records.
pub struct Records {
    /// By name, so by user and age.
    pub clusters: BTreeMap<ClusterName, Stored<Cluster>>,
    /// The clusters' own partitions.
    pub nests: BTreeMap<ClusterName, Nest>,
    /// Counters.
    pub usage: BTreeMap<Scope, Stored<Usage>>,
    /// Limits.
    pub limits: LimitTable,
    /// The ledger.
    pub ledger: Ledger,
    /// What admins did.
    pub audits: Audits,
    /// What the index of the active showed, when.
    index: BTreeMap<ClusterName, Vec<(Ms, Row)>>,
    /// The largest item.
    pub item_limit: usize,
    /// Entries of a page of ledger or audits.
    pub entries_a_page: usize,
    /// Items written and when, touches of heartbeats left out.
    pub written: Vec<(Ms, Key)>,
}

fn malformed(why: &str) -> TransactError {
    TransactError::Failed(StoreError::Failed(format!("malformed transaction: {why}")))
}

/// The counter of somebody who was never charged.
fn unused(scope: &Scope) -> Stored<Usage> {
    Stored { value: Usage::none(scope.clone()), version: 0 }
}

/// A page's cursor is the last name of the page before.
pub fn check_cursor(cursor: Option<&str>) -> Result<(), StoreError> {
    let name: Option<Result<ClusterName, _>> = cursor.map(str::parse);
    name.transpose()
        .map(drop)
        .map_err(|e| StoreError::Failed(format!("`{}` is no cursor: {e}", cursor.unwrap_or_default())))
}

impl Records {
    /// None yet.
    pub fn new(item_limit: usize) -> Self {
        Records {
            clusters: BTreeMap::new(),
            nests: BTreeMap::new(),
            usage: BTreeMap::new(),
            limits: LimitTable::default(),
            ledger: Ledger::default(),
            audits: Audits::default(),
            index: BTreeMap::new(),
            item_limit,
            // few, so that pages are turned
            entries_a_page: 5,
            written: Vec::new(),
        }
    }

    /// See [`faregate_core::ports::Store::clusters`].
    pub fn page(
        &self,
        user: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        check_cursor(cursor)?;
        let own = self.clusters.iter().filter(|(name, _)| name.as_str().starts_with(user));
        let mut left = own.filter(|(name, _)| cursor.is_none_or(|c| name.as_str() > c));
        let items: Vec<_> = left
            .by_ref()
            .take(limit.max(1))
            .map(|(_, c)| Stored { value: Arc::new(c.value.clone()), version: c.version })
            .collect();
        let cursor = left.next().and(items.last()).map(|last| last.value.name.to_string());
        Ok(Page { items, cursor })
    }

    /// See [`faregate_core::ports::Store::children`].
    pub fn children(&self, name: &ClusterName) -> Children {
        self.nests.get(name).map_or_else(Children::default, |nest| Children {
            heartbeat: nest.heartbeat.clone(),
            launches: nest.launches.values().cloned().collect(),
            tasks: nest.tasks.values().cloned().collect(),
        })
    }

    /// A cluster's heartbeat.
    pub fn heartbeat(&self, name: &ClusterName) -> Option<&Stored<Heartbeat>> {
        self.nests.get(name)?.heartbeat.as_ref()
    }

    /// See [`faregate_core::ports::Store::usage`].
    pub fn counters(&self, scopes: &[Scope]) -> Vec<Stored<Usage>> {
        let of = |scope: &Scope| self.usage.get(scope).cloned().unwrap_or_else(|| unused(scope));
        scopes.iter().map(of).collect()
    }

    /// See [`faregate_core::ports::Store::put_usage`].
    pub fn put_usage(&mut self, usage: &Usage, version: Version, now: Ms) -> Result<(), TransactError> {
        let held = self.usage.get(&usage.scope);
        if held.map_or(0, |h| h.version) != version {
            let held = held.map(|h| Stored { value: Record::Usage(h.value.clone()), version: h.version });
            return Err(TransactError::Conflicts(vec![Conflict { index: 0, held }]));
        }
        self.usage.insert(usage.scope.clone(), Stored { value: usage.clone(), version: version + 1 });
        self.written.push((now, Key::usage(&usage.scope)));
        Ok(())
    }

    /// What an item holds.
    fn held(&self, write: &Write) -> Option<Stored<Record>> {
        fn record<T: Clone>(stored: Option<&Stored<T>>, wrap: impl Fn(T) -> Record) -> Option<Stored<Record>> {
            stored.map(|s| Stored { value: wrap(s.value.clone()), version: s.version })
        }
        match write {
            Write::Count { scope, .. } => record(self.usage.get(scope), Record::Usage),
            Write::Bill { .. } => None,
            Write::Put { record: put, .. } => match put {
                Record::Cluster(c) => record(self.clusters.get(&c.name), |c| Record::Cluster(Box::new(c))),
                Record::Heartbeat(h) => record(self.heartbeat(&h.cluster), Record::Heartbeat),
                Record::Launch(l) => {
                    record(self.nests.get(&l.cluster).and_then(|n| n.launches.get(&l.id)), Record::Launch)
                }
                Record::Task(t) => {
                    record(self.nests.get(&t.cluster).and_then(|n| n.tasks.get(&t.facts.id)), Record::Task)
                }
                Record::Usage(u) => record(self.usage.get(&u.scope), Record::Usage),
                Record::Limits { scope, .. } => self.limits.in_force().get(scope).map(|limits| Stored {
                    value: Record::Limits { scope: scope.clone(), limits: limits.clone() },
                    version: 1,
                }),
                Record::Account(_) | Record::MachineToken(_) | Record::Used(_) | Record::Failures(_) => {
                    nobody_signs_in(put)
                }
            },
        }
    }

    fn version(&self, record: &Record) -> Option<Version> {
        let nest = |name: &ClusterName| self.nests.get(name);
        match record {
            Record::Cluster(c) => self.clusters.get(&c.name).map(|s| s.version),
            Record::Heartbeat(h) => self.heartbeat(&h.cluster).map(|s| s.version),
            Record::Launch(l) => nest(&l.cluster)?.launches.get(&l.id).map(|s| s.version),
            Record::Task(t) => nest(&t.cluster)?.tasks.get(&t.facts.id).map(|s| s.version),
            Record::Usage(u) => self.usage.get(&u.scope).map(|s| s.version),
            Record::Limits { scope, .. } => self.limits.in_force().get(scope).map(|_| 1),
            Record::Account(_) | Record::MachineToken(_) | Record::Used(_) | Record::Failures(_) => {
                nobody_signs_in(record)
            }
        }
    }

    fn holds(&self, write: &Write) -> bool {
        match write {
            Write::Put { record, expect: Expect::Absent } => self.version(record).is_none(),
            Write::Put { record, expect: Expect::Version(version) } => self.version(record) == Some(*version),
            Write::Bill { .. } => true,
            Write::Count { scope, delta, ceiling, pace, .. } => {
                let paid_at = self.usage.get(scope).map_or(0, |u| u.value.paid_at);
                if pace.is_some_and(|step| step.apply(paid_at).is_none()) {
                    return false;
                }
                let held = self.usage.get(scope).map(|u| u.value.counts).unwrap_or_default();
                let fits = |held: i64, delta: i64, ceiling: i64| {
                    let sum = held + delta;
                    (delta <= 0 || sum <= ceiling) && (delta >= 0 || sum >= 0)
                };
                fits(held.clusters, delta.clusters, ceiling.clusters)
                    && fits(held.workers, delta.workers, ceiling.workers)
                    && fits(held.millicores, delta.millicores, ceiling.millicores)
                    && fits(held.memory_bytes, delta.memory_bytes, ceiling.memory_bytes)
            }
        }
    }

    fn too_large(&self, write: &Write) -> bool {
        let Write::Put { record: Record::Heartbeat(h), .. } = write else { return false };
        let content = h.content.iter().flat_map(|c| c.active.iter().chain(&c.closing).chain(&c.closed));
        content.chain(&h.unknown).map(|name| name.len() + 3).sum::<usize>() > self.item_limit
    }

    /// See [`faregate_core::ports::Store::transact`].
    pub fn transact(&mut self, writes: Vec<Write>, now: Ms) -> Result<(), TransactError> {
        if writes.is_empty() || writes.len() > 100 {
            return Err(malformed(&format!("{} items; 1 to 100 are allowed", writes.len())));
        }
        let mut keys: Vec<Key> = writes.iter().map(Write::key).collect();
        keys.sort();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(malformed("an item is in it twice"));
        }
        if writes.iter().any(|w| self.too_large(w)) {
            return Err(malformed("an item is too large"));
        }
        let failed = writes.iter().enumerate().filter(|(_, w)| !self.holds(w));
        let conflicts: Vec<_> = failed.map(|(index, w)| Conflict { index, held: self.held(w) }).collect();
        if !conflicts.is_empty() {
            return Err(TransactError::Conflicts(conflicts));
        }
        self.written.extend(keys.into_iter().map(|key| (now, key)));
        for write in writes {
            self.apply(write, now);
        }
        Ok(())
    }

    fn apply(&mut self, write: Write, now: Ms) {
        match write {
            Write::Count { scope, delta, now, pace, .. } => {
                let usage = self.usage.entry(scope.clone()).or_insert_with(|| unused(&scope));
                usage.value.paid_at =
                    pace.and_then(|step| step.apply(usage.value.paid_at)).unwrap_or(usage.value.paid_at);
                usage.value.counts = usage.value.counts + delta;
                usage.value.changed_at = now;
                usage.version += 1;
            }
            Write::Bill { month, user, cluster, amount } => self.ledger.bill(month, user, cluster, amount),
            Write::Put { record, expect } => {
                let version = match expect {
                    Expect::Absent => 1,
                    Expect::Version(version) => version + 1,
                };
                self.put(record, version, now);
            }
        }
    }

    fn put(&mut self, record: Record, version: Version, now: Ms) {
        match record {
            Record::Cluster(cluster) => {
                self.index_row(&cluster, version, now);
                self.clusters.insert(cluster.name.clone(), Stored { value: *cluster, version });
            }
            Record::Heartbeat(heartbeat) => {
                let nest = self.nests.entry(heartbeat.cluster.clone()).or_default();
                nest.heartbeat = Some(Stored { value: heartbeat, version });
            }
            Record::Launch(launch) => {
                let nest = self.nests.entry(launch.cluster.clone()).or_default();
                nest.launches.insert(launch.id.clone(), Stored { value: launch, version });
            }
            Record::Task(task) => {
                let nest = self.nests.entry(task.cluster.clone()).or_default();
                nest.tasks.insert(task.facts.id.clone(), Stored { value: task, version });
            }
            Record::Usage(usage) => {
                self.usage.insert(usage.scope.clone(), Stored { value: usage, version });
            }
            Record::Limits { scope, limits } => self.put_limits(&scope, Some(&limits)),
            Record::Account(_) | Record::MachineToken(_) | Record::Used(_) | Record::Failures(_) => {
                nobody_signs_in(&record)
            }
        }
    }

    /// See [`faregate_core::ports::Store::put_limits`].
    pub fn put_limits(&mut self, scope: &Scope, limits: Option<&Limits>) {
        let item = limits.map(|limits| serde_json::to_value(limits).unwrap_or_default());
        self.limits.edit(&scope.to_string(), item);
    }

    fn index_row(&mut self, cluster: &Cluster, version: Version, now: Ms) {
        let row = cluster.active.then(|| {
            let tls_key = Sealed { key_id: cluster.tls_key.key_id.clone(), data: String::new() };
            let stripped = Cluster { tls_cert: String::new(), tls_key, ..cluster.clone() };
            (Arc::new(stripped), version)
        });
        let rows = self.index.entry(cluster.name.clone()).or_default();
        let stale = rows.iter().rposition(|(at, _)| *at < now - INDEX_LAG_MS).unwrap_or(0);
        rows.drain(..stale);
        rows.push((now, row));
    }

    /// See [`faregate_core::ports::Store::touch`].
    pub fn touch(&mut self, name: &ClusterName, digest: &str, now: Ms) -> Touch {
        let Some(heartbeat) = self.nests.get_mut(name).and_then(|n| n.heartbeat.as_mut()) else {
            return Touch::Missing;
        };
        if !heartbeat.value.accepting || heartbeat.value.digest.as_deref() != Some(digest) {
            return Touch::Differs(heartbeat.clone());
        }
        heartbeat.value.seen_at = Some(now);
        heartbeat.version += 1;
        Touch::Same { due_at: heartbeat.value.due_at }
    }

    /// See [`faregate_core::ports::Store::stop`].
    pub fn stop(&mut self, request: &StopRequest, now: Ms) -> Option<(Stored<Cluster>, bool)> {
        let stored = self.clusters.get_mut(&request.name)?;
        if request.user.as_ref().is_some_and(|user| *user != stored.value.user) {
            return None;
        }
        let changes = stored.value.wants_to_run();
        if changes {
            stored.value.end(request.target, request.reason.clone(), request.now);
            stored.version += 1;
            let (cluster, version) = (stored.value.clone(), stored.version);
            self.index_row(&cluster, version, now);
            self.written.push((now, Key::cluster(&request.name)));
        }
        self.clusters.get(&request.name).map(|c| (c.clone(), changes))
    }

    /// A page of the index; each row is as old as `lag` says.
    pub fn active(
        &self,
        cursor: Option<&str>,
        limit: usize,
        now: Ms,
        mut lag: impl FnMut() -> Ms,
    ) -> Result<Page<ActiveRow>, StoreError> {
        check_cursor(cursor)?;
        let mut page = Page { items: Vec::new(), cursor: None };
        for (name, rows) in self.index.iter().filter(|(name, _)| cursor.is_none_or(|c| name.as_str() > c)) {
            let seen_at = now - lag();
            let Some((cluster, version)) =
                rows.iter().rev().find(|(at, _)| *at <= seen_at).and_then(|(_, r)| r.clone())
            else {
                continue;
            };
            if page.items.len() == limit.max(1) {
                page.cursor = page.items.last().map(|row: &ActiveRow| row.cluster.name.to_string());
                break;
            }
            debug_assert_eq!(*name, cluster.name);
            page.items.push(ActiveRow { cluster: (*cluster).clone(), version });
        }
        Ok(page)
    }

    /// See [`faregate_core::ports::Store::forget_expired`].
    pub fn forget_expired(&mut self, now: Ms) -> usize {
        let expired = |at: Option<Ms>| at.is_some_and(|at| at <= now);
        let before = self.count();
        self.clusters.retain(|_, c| !expired(c.value.expires_at));
        for nest in self.nests.values_mut() {
            nest.launches.retain(|_, l| !expired(l.value.expires_at));
            nest.tasks.retain(|_, t| !expired(t.value.expires_at));
            if nest.heartbeat.as_ref().is_some_and(|h| expired(h.value.expires_at)) {
                nest.heartbeat = None;
            }
        }
        self.nests.retain(|_, n| n.heartbeat.is_some() || !n.launches.is_empty() || !n.tasks.is_empty());
        let clusters = &self.clusters;
        self.index.retain(|name, _| clusters.contains_key(name));
        before - self.count()
    }

    fn count(&self) -> usize {
        let nest = |n: &Nest| n.launches.len() + n.tasks.len() + usize::from(n.heartbeat.is_some());
        self.clusters.len() + self.nests.values().map(nest).sum::<usize>()
    }
}

/// The world is behind the door.
fn nobody_signs_in(record: &Record) -> ! {
    panic!("the world keeps no {record:?}")
}
