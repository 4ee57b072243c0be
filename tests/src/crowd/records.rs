//! The records.

use crate::samples::ring;
use faregate_core::model::*;
use faregate_core::ports::{Expect, Store, TransactError, Write};
use faregate_keys::issue_certificate;
use futures::StreamExt;
use futures::stream::iter;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Workers of each cluster.
pub const WORKERS: i64 = 10;
/// Clusters of each user.
const OF_A_USER: usize = 10;
/// Groups there are; each user is in two of them.
const GROUPS: usize = 20;
/// One user in so many has limits of their own, a budget among them.
const OWN_LIMITS_ONE_IN: usize = 10;
/// Every cluster's idle timeout.
pub const IDLE_TIMEOUT_MS: Ms = 1_800_000;
/// How long everything has run.
const AGE_MS: Ms = 3_600_000;
/// Heartbeats that come on for so long, without anybody sending them.
const HEARTBEATS_MS: Ms = 86_400_000;
/// Transactions under way at once.
const AT_ONCE: usize = 64;
/// Tries of one that meets another.
const TRIES: u32 = 20;

/// So many clusters that run, each with a scheduler and its workers, and nothing to be done about any of them.
pub struct Crowd {
    /// How many.
    pub clusters: usize,
    /// Where their schedulers answer, in turn.
    pub schedulers: Vec<SocketAddr>,
    /// Now.
    pub now: Ms,
}

impl Crowd {
    fn user(n: usize) -> (String, Vec<String>) {
        let user = n / OF_A_USER;
        let group = |n: usize| format!("team-{}", n % GROUPS);
        (format!("user-{user:05}"), vec![group(user), group(user + 1)])
    }

    /// What admins have written: for everybody, for groups, and for some users.
    pub fn limits(&self) -> BTreeMap<Scope, Limits> {
        let limits = |value| Limits::read(&value).unwrap();
        let everybody = json!({
            "clusters": 50, "workers": 1000, "memory": "4 T", "max_lifetime": 604_800, "idle_timeout": IDLE_TIMEOUT_MS / 1000,
        });
        let mut all = BTreeMap::from([(Scope::Default, limits(everybody))]);
        for n in 0..GROUPS {
            let group = json!({"workers": 2000, "cluster_workers": 500, "total_workers": 1_000_000});
            all.insert(Scope::Group(format!("team-{n}")), limits(group));
        }
        for n in (0..self.clusters).step_by(OF_A_USER * OWN_LIMITS_ONE_IN) {
            all.insert(Scope::User(Crowd::user(n).0), limits(json!({"clusters": 100, "budget": 10_000})));
        }
        all
    }

    /// How many clusters are of users with a budget.
    pub fn clusters_with_a_budget(&self) -> usize {
        let limits = self.limits();
        let budget = |n: &usize| limits.get(&Scope::User(Crowd::user(*n).0)).is_some_and(|own| own.budget.is_some());
        (0..self.clusters).filter(budget).count()
    }

    /// The records of one cluster, and the entry that its tasks of the past left in the ledger.
    fn cluster(&self, n: usize, certificate: &Certificate) -> (Cluster, Vec<Write>) {
        let (user, groups) = Crowd::user(n);
        let since = self.now - AGE_MS;
        let ring = ring();
        let name = ClusterName::mint(&ring.user_key(&user), since, n as u64);
        let key = ring.seal(certificate.key_pem.as_bytes(), &name, [7; 12]).unwrap();
        let address = self.schedulers[n % self.schedulers.len()];
        let config = ClusterConfig::default();
        let charge = Counts::CLUSTER + config.worker_unit() * WORKERS;
        let mut cluster = Cluster::new(name.clone(), &user, &groups, certificate.cert_pem.clone(), key, since);
        cluster.status = Status::Running;
        cluster.running_at = Some(since);
        cluster.due_at = None;
        cluster.count = WORKERS as u32;
        cluster.launches = 2;
        cluster.claimed = true;
        cluster.addresses = Some(Addresses { scheduler: address, dashboard: Some(address), api: address });
        cluster.reserved.counts = charge;
        cluster.meter = Meter { schedulers: (1, since), workers: (WORKERS, since * WORKERS), ..Meter::default() };
        cluster.config = config;

        let mut records = Vec::new();
        let mut workers = Vec::new();
        for (launch, (role, count)) in [(1, (TaskRole::Scheduler, 1)), (2, (TaskRole::Worker, WORKERS as u32))] {
            let launch = launched(&cluster, launch, role, count);
            for n in 0..count {
                let task = running(&launch, n, address, since);
                if role == TaskRole::Worker {
                    workers.push(task.facts.id.worker_name());
                }
                records.push(Record::Task(task));
            }
            records.push(Record::Launch(launch));
        }
        let content = Content {
            scheduler: Some(address),
            dashboard: Some(address),
            api: Some(address),
            count: WORKERS as u32,
            active: workers.into_iter().collect(),
            ..Content::default()
        };
        records.push(Record::Heartbeat(Heartbeat {
            seen_at: Some(self.now + HEARTBEATS_MS),
            digest: Some("the same as ever".into()),
            content: Some(content),
            ..Heartbeat::new(name.clone())
        }));
        records.push(Record::Cluster(Box::new(cluster.clone())));
        let mut writes: Vec<Write> =
            records.into_iter().map(|record| Write::Put { record, expect: Expect::Absent }).collect();
        let amount =
            Amount { millicore_ms: 3_600_000_000, mib_ms: 7_372_800_000, nanousd: 50_000_000, ..Amount::default() };
        writes.push(Write::Bill { month: Month::of(self.now), user, cluster: name, amount });
        (cluster, writes)
    }
}

fn launched(cluster: &Cluster, n: u32, role: TaskRole, count: u32) -> Launch {
    let unit = match role {
        TaskRole::Scheduler => Counts::default(),
        TaskRole::Worker => cluster.config.worker_unit(),
    };
    let sample = crate::samples::launch(&cluster.name, n);
    Launch {
        spec: LaunchSpec { role, count, user: cluster.user.clone(), ..sample.spec },
        unit,
        state: LaunchState::Accepted,
        created_at: cluster.created_at,
        calls: 1,
        ..sample
    }
}

fn running(launch: &Launch, n: u32, address: SocketAddr, since: Ms) -> Task {
    let mut task = crate::samples::task(&launch.cluster, &format!("{}-{n}", launch.id));
    task.registered_at = Some(since);
    task.facts = TaskFacts {
        launch: launch.id.clone(),
        role: launch.spec.role,
        accepted_at: since,
        pulled_at: Some(since),
        started_at: Some(since),
        capacity: Some("FARGATE".into()),
        address: Some(address.ip()),
        ports: None,
        last_lines: Vec::new(),
        ..task.facts
    };
    task
}

/// Writes a crowd's records, its counters and limits among them.
pub async fn fill(store: &dyn Store, crowd: &Crowd) {
    for (scope, limits) in crowd.limits() {
        store.put_limits(&scope, Some(&limits)).await.unwrap();
    }
    let certificate = issue_certificate(&crate::samples::name("anybody", 1), crowd.now).unwrap();
    let mut counted: BTreeMap<Scope, Counts> = BTreeMap::new();
    let mut writing = iter(0..crowd.clusters)
        .map(async |n| {
            let (cluster, writes) = crowd.cluster(n, &certificate);
            write(store, writes).await;
            cluster.reserved
        })
        .buffer_unordered(AT_ONCE);
    while let Some(charged) = writing.next().await {
        for scope in charged.keys {
            let sum = counted.entry(scope).or_default();
            *sum = *sum + charged.counts;
        }
    }
    for (scope, counts) in counted {
        store.put_usage(&Usage { counts, changed_at: crowd.now - AGE_MS, ..Usage::none(scope) }, 0).await.unwrap();
    }
}

async fn write(store: &dyn Store, writes: Vec<Write>) {
    for _ in 0..TRIES {
        match store.transact(writes.clone()).await {
            Ok(()) => return,
            Err(TransactError::Contention) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("a transaction met others {TRIES} times");
}
