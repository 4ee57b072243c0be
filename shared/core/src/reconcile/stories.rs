//! Stories of one cluster, told to the pure core: what it writes, what it does, and what its user reads.

mod capacity;
mod charges;
mod clocks;
mod failed_starts;
mod launches;
mod ledger;
mod life;
mod limits;
mod meter;
mod shrink;
mod troubles;
mod workers;

use super::*;
use crate::limits::*;
use crate::model::*;
use crate::ports::{Expect, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// One cluster's records, a clock, and what the core last wanted done.
struct Story {
    snapshot: Snapshot,
    policy: Policy,
    now: Ms,
    observations: Vec<Observation>,
    actions: Vec<Action>,
    due_at: Option<Ms>,
    ledger: BTreeMap<Month, Amount>,
}

const SCHEDULER: &str = "127.0.0.1:8786";
const API: &str = "127.0.0.1:8787";

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

impl Story {
    fn new() -> Self {
        let name = ClusterName::mint(&UserKey::from_digest(&[7; 6]), 1_000, 1);
        let tls_key = Sealed { key_id: "k1".into(), data: String::new() };
        let cluster = Cluster::new(name.clone(), "alice", &[], String::new(), tls_key, 1_000);
        let usage = Usage { counts: Counts::CLUSTER, ..Usage::none(Scope::User("alice".into())) };
        let snapshot = Snapshot {
            heartbeat: Stored { value: Heartbeat::new(name), version: 1 },
            cluster: Stored { value: cluster, version: 1 },
            launches: vec![],
            tasks: vec![],
            usage: vec![Stored { value: usage, version: 1 }],
            limits: Effective::default(),
            spent: None,
            api_url: "http://127.0.0.1/api".into(),
            listen: Listen::loopback(),
            steady_since: 0,
            may_launch: true,
        };
        let policy = Policy::default();
        Story {
            snapshot,
            policy,
            now: 1_000,
            observations: vec![],
            actions: vec![],
            due_at: None,
            ledger: BTreeMap::new(),
        }
    }

    /// One round; the plan's writes are applied as the store would.
    fn round(&mut self) -> &mut Self {
        let facts = std::mem::take(&mut self.observations);
        let plan = reconcile(&self.snapshot, &facts, self.now, &self.policy);
        assert!(plan.writes.is_empty() || Write::check_shape(&plan.writes).is_ok());
        for write in plan.writes {
            self.apply(write);
        }
        self.actions = plan.before.into_iter().chain(plan.after).collect();
        self.due_at = plan.due_at;
        self
    }

    fn apply(&mut self, write: Write) {
        fn put<T>(list: &mut Vec<Stored<T>>, value: T, expect: Expect, same: impl Fn(&T) -> bool) {
            let held = list.iter_mut().find(|s| same(&s.value));
            match (expect, held) {
                (Expect::Absent, None) => list.push(Stored { value, version: 1 }),
                (Expect::Version(v), Some(held)) if held.version == v => *held = Stored { value, version: v + 1 },
                (expect, _) => panic!("a write on {expect:?} that the store would refuse"),
            }
        }
        match write {
            Write::Put { record: Record::Cluster(c), expect } => {
                assert_eq!(expect, Expect::Version(self.snapshot.cluster.version));
                self.snapshot.cluster = Stored { value: *c, version: self.snapshot.cluster.version + 1 };
            }
            Write::Put { record: Record::Heartbeat(h), .. } => {
                self.snapshot.heartbeat = Stored { value: h, version: self.snapshot.heartbeat.version + 1 };
            }
            Write::Put { record: Record::Launch(l), expect } => {
                let id = l.id.clone();
                put(&mut self.snapshot.launches, l, expect, |held| held.id == id);
            }
            Write::Put { record: Record::Task(t), expect } => {
                let id = t.facts.id.clone();
                put(&mut self.snapshot.tasks, t, expect, |held| held.facts.id == id);
            }
            Write::Count { scope, delta, ceiling, .. } => {
                let usage = self.snapshot.usage.iter_mut().find(|usage| usage.value.scope == scope).expect("a counter");
                let counts = usage.value.counts + delta;
                assert!(!counts.any_negative(), "{scope} falls below zero: {counts:?}");
                assert!(
                    delta.workers <= 0 || counts.workers <= ceiling.workers,
                    "{scope} is over its limit: {counts:?}"
                );
                usage.value.counts = counts;
            }
            Write::Bill { month, amount, .. } => *self.ledger.entry(month).or_default() += amount,
            Write::Put { record, .. } => panic!("the core does not write {record:?}"),
        }
    }

    fn after(&mut self, ms: Ms) -> &mut Self {
        self.now += ms;
        self
    }

    /// The launch that is called now.
    fn called(&self) -> Launch {
        let launch = self.actions.iter().find_map(|a| match a {
            Action::Launch(launch) => Some((**launch).clone()),
            _ => None,
        });
        launch.expect("a launch call")
    }

    fn calls_nothing(&self) -> bool {
        !self.actions.iter().any(|a| matches!(a, Action::Launch(_)))
    }

    fn task(&self, launch: &Launch, id: &str) -> TaskFacts {
        TaskFacts {
            id: TaskId(id.into()),
            launch: launch.id.clone(),
            role: launch.spec.role,
            version: 2,
            state: TaskState::Running,
            accepted_at: self.now,
            pulled_at: None,
            started_at: Some(self.now),
            stopped_at: None,
            stop_code: None,
            stop_reason: None,
            exit_code: None,
            capacity: None,
            address: Some("127.0.0.1".parse().unwrap()),
            ports: Some(vec![8786, 8787]),
            lost_to_platform: false,
            last_lines: vec![],
        }
    }

    fn replies(&mut self, launch: &Launch, ids: &[&str]) -> &mut Self {
        let tasks = ids.iter().map(|id| self.task(launch, id)).collect();
        self.says(launch, Ok(Launched { tasks, shortfall: None }))
    }

    fn says(&mut self, launch: &Launch, result: Result<Launched, LaunchError>) -> &mut Self {
        self.observations.push(Observation::Launched { launch: launch.id.clone(), result });
        self.round()
    }

    fn ends(&mut self, id: &str, exit_code: i32) -> &mut Self {
        let now = self.now;
        let task = self.snapshot.tasks.iter_mut().find(|t| t.value.facts.id.0 == id).expect("a known task");
        task.value.facts.state = TaskState::Stopped;
        task.value.facts.stopped_at = Some(now);
        task.value.facts.exit_code = Some(exit_code);
        self.round()
    }

    fn heartbeat(&mut self, count: u32, active: &[&str], closing: &[&str], closed: &[&str]) -> &mut Self {
        let names = |ids: &[&str]| ids.iter().map(|id| format!("w-{id}")).collect::<BTreeSet<_>>();
        let heartbeat = &mut self.snapshot.heartbeat;
        heartbeat.version += 1;
        heartbeat.value.seen_at = Some(self.now);
        heartbeat.value.digest = Some(heartbeat.version.to_string());
        heartbeat.value.due_at = Some(self.now);
        heartbeat.value.content = Some(Content {
            scheduler: Some(at(SCHEDULER)),
            dashboard: None,
            api: Some(at(API)),
            count,
            active: names(active),
            closing: names(closing),
            closed: names(closed),
        });
        self.round()
    }

    fn running() -> Self {
        let mut story = Story::new();
        let launch = story.round().called();
        story.replies(&launch, &["s"]).heartbeat(0, &[], &[], &[]);
        assert_eq!(story.cluster().status, Status::Running);
        story
    }

    fn with_workers(ids: &[&str]) -> Self {
        let mut story = Story::running();
        let launch = story.heartbeat(ids.len() as u32, &[], &[], &[]).called();
        story.replies(&launch, ids).heartbeat(ids.len() as u32, ids, &[], &[]);
        story
    }

    fn stop(&mut self) -> &mut Self {
        let now = self.now;
        self.snapshot.cluster.value.end(
            Status::Stopped,
            Reason::new(ReasonCode::UserStopped, "stopped by its user"),
            now,
        );
        self.snapshot.cluster.version += 1;
        self.round()
    }

    fn cluster(&self) -> &Cluster {
        &self.snapshot.cluster.value
    }

    fn workers_charged(&self) -> i64 {
        self.snapshot.usage[0].value.counts.workers
    }

    fn reason(&self) -> String {
        self.cluster().reason.as_ref().map(|r| r.message.clone()).unwrap_or_default()
    }

    fn waiting(&self) -> String {
        self.cluster().waiting.as_ref().map(|r| r.message.clone()).unwrap_or_default()
    }
}
