//! Stories of one cluster, told to the pure core: what it writes, what it does, and what its user reads.

mod capacity;

use super::*;
use crate::model::*;
use crate::ports::{Expect, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// One cluster's records, a clock, and what the core last wanted done.
struct Story {
    view: View,
    policy: Policy,
    now: Ms,
    facts: Vec<Fact>,
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
        let ring = KeyRing::from_random(&[7; 64]);
        let name = ClusterName::mint(&ring.user_key("alice"), 1_000, 1);
        let tls_key = ring.seal(b"key", &name, [0; 12]).unwrap();
        let cluster = Cluster::new(name.clone(), "alice", &[], String::new(), tls_key, 1_000);
        let usage = Usage { scope: Scope::User("alice".into()), counts: Counts::CLUSTER, changed_at: 0 };
        let view = View {
            heartbeat: Stored { value: Heartbeat::new(name), version: 1 },
            cluster: Stored { value: cluster, version: 1 },
            launches: vec![],
            tasks: vec![],
            usage: vec![Stored { value: usage, version: 1 }],
            limits: Effective::default(),
            api_url: "http://127.0.0.1/api".into(),
            listen: Listen::loopback(),
            may_launch: true,
        };
        let policy = Policy::default();
        Story { view, policy, now: 1_000, facts: vec![], actions: vec![], due_at: None, ledger: BTreeMap::new() }
    }

    /// One round; the plan's writes are applied as the store would.
    fn round(&mut self) -> &mut Self {
        let facts = std::mem::take(&mut self.facts);
        let plan = reconcile(&self.view, &facts, self.now, &self.policy);
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
                assert_eq!(expect, Expect::Version(self.view.cluster.version));
                self.view.cluster = Stored { value: *c, version: self.view.cluster.version + 1 };
            }
            Write::Put { record: Record::Heartbeat(h), .. } => {
                self.view.heartbeat = Stored { value: h, version: self.view.heartbeat.version + 1 };
            }
            Write::Put { record: Record::Launch(l), expect } => {
                let id = l.id.clone();
                put(&mut self.view.launches, l, expect, |held| held.id == id);
            }
            Write::Put { record: Record::Task(t), expect } => {
                let id = t.facts.id.clone();
                put(&mut self.view.tasks, t, expect, |held| held.facts.id == id);
            }
            Write::Count { delta, .. } => {
                let counts = &mut self.view.usage[0].value.counts;
                *counts = *counts + delta;
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
            capacity_lost: false,
            last_lines: vec![],
        }
    }

    fn replies(&mut self, launch: &Launch, ids: &[&str]) -> &mut Self {
        let tasks = ids.iter().map(|id| self.task(launch, id)).collect();
        self.says(launch, Ok(Launched { tasks, shortfall: None }))
    }

    fn says(&mut self, launch: &Launch, result: Result<Launched, LaunchError>) -> &mut Self {
        self.facts.push(Fact::Launched { launch: launch.id.clone(), result });
        self.round()
    }

    fn ends(&mut self, id: &str, exit_code: i32) -> &mut Self {
        let now = self.now;
        let task = self.view.tasks.iter_mut().find(|t| t.value.facts.id.0 == id).expect("a known task");
        task.value.facts.state = TaskState::Stopped;
        task.value.facts.stopped_at = Some(now);
        task.value.facts.exit_code = Some(exit_code);
        self.round()
    }

    fn heartbeat(&mut self, count: u32, active: &[&str], closing: &[&str], closed: &[&str]) -> &mut Self {
        let names = |ids: &[&str]| ids.iter().map(|id| format!("w-{id}")).collect::<BTreeSet<_>>();
        let heartbeat = &mut self.view.heartbeat;
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
        self.view.cluster.value.end(Status::Stopped, Reason::new(ReasonCode::UserStopped, "stopped by its user"), now);
        self.view.cluster.version += 1;
        self.round()
    }

    fn cluster(&self) -> &Cluster {
        &self.view.cluster.value
    }

    fn workers_charged(&self) -> i64 {
        self.view.usage[0].value.counts.workers
    }

    fn reason(&self) -> String {
        self.cluster().reason.as_ref().map(|r| r.message.clone()).unwrap_or_default()
    }

    fn waiting(&self) -> String {
        self.cluster().waiting.as_ref().map(|r| r.message.clone()).unwrap_or_default()
    }
}

#[test]
fn a_launch_is_written_down_and_counted_before_it_is_called() {
    let mut story = Story::new();
    let launch = story.round().called();
    assert_eq!(story.actions[0], Action::Prepare);
    assert_eq!((launch.calls, launch.spec.role), (1, TaskRole::Scheduler));
    assert_eq!(story.view.launches[0].value, launch);
}

#[test]
fn a_lost_reply_is_asked_for_again_with_the_same_launch() {
    let mut story = Story::new();
    let first = story.round().called();
    story.says(&first, Err(LaunchError::Unknown("reset".into())));
    assert!(story.calls_nothing());
    let again = story.after(10_000).round().called();
    assert_eq!((again.id, again.calls), (first.id, 2));
}

#[test]
fn a_refusal_after_a_lost_reply_frees_nothing_until_late_calls_have_landed() {
    let mut story = Story::running();
    let launch = story.heartbeat(3, &[], &[], &[]).called();
    story.says(&launch, Err(LaunchError::Unknown("reset".into())));
    let again = story.after(10_000).round().called();
    story.says(&again, Err(LaunchError::NoCapacity("none".into())));
    assert_eq!(story.view.launches[1].value.state, LaunchState::Cancelled);
    assert_eq!(story.workers_charged(), 3);
    // the first call lands after all: its tasks are stopped, and given back once they are gone
    let tasks = ["a", "b", "c"].map(|id| story.task(&launch, id)).to_vec();
    story.facts.push(Fact::Listed { launch: launch.id.clone(), at: story.now, tasks });
    story.round();
    assert_eq!(story.actions.iter().filter(|a| matches!(a, Action::Stop(_))).count(), 3);
}

#[test]
fn a_sole_refusal_gives_the_charge_back_and_waits_with_a_reason() {
    let mut story = Story::running();
    let launch = story.heartbeat(3, &[], &[], &[]).called();
    assert_eq!(story.workers_charged(), 3);
    story.says(&launch, Err(LaunchError::NoCapacity("RESOURCE:MEMORY".into())));
    assert_eq!(story.workers_charged(), 0);
    assert_eq!(story.waiting(), "no capacity: RESOURCE:MEMORY");
    assert!(story.due_at.is_some_and(|at| at > story.now));
    story.after(10_000).round().called();
}

#[test]
fn addresses_that_are_not_the_schedulers_own_are_kept_and_not_used() {
    let mut story = Story::new();
    let launch = story.round().called();
    let mut facts = story.task(&launch, "s");
    facts.ports = Some(vec![9999]);
    story.says(&launch, Ok(Launched { tasks: vec![facts], shortfall: None })).heartbeat(0, &[], &[], &[]);
    assert_eq!((story.cluster().status, story.cluster().addresses), (Status::Pending, None));
    assert!(story.actions.contains(&Action::Describe(vec![TaskId("s".into())])));
    assert_eq!(story.waiting(), "the scheduler's addresses are being verified");
    assert!(story.due_at.is_some());
}

#[test]
fn the_route_is_published_before_the_cluster_reads_running() {
    let story = Story::running();
    assert!(matches!(story.actions[0], Action::Publish(_)));
    assert_eq!(story.due_at, None, "at rest nothing is awaited");
}

#[test]
fn ten_workers_are_one_call_and_twelve_are_two() {
    let mut story = Story::running();
    let launch = story.heartbeat(12, &[], &[], &[]).called();
    assert_eq!(launch.spec.count, 10);
    let ids: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    story.replies(&launch, &ids);
    assert_eq!(story.called().spec.count, 2);
    assert_eq!(story.workers_charged(), 12);
}

#[test]
fn at_rest_a_round_writes_nothing() {
    let mut story = Story::with_workers(&["a", "b"]);
    story.after(100_000);
    let plan = reconcile(&story.view, &[], story.now, &story.policy);
    assert_eq!(plan.writes, vec![]);
    assert_eq!((plan.after.len(), plan.due_at), (0, None));
}

#[test]
fn a_closed_worker_whose_task_lives_is_restarting_and_not_replaced() {
    let mut story = Story::with_workers(&["a", "b"]);
    story.heartbeat(2, &["b"], &[], &["a"]);
    assert!(story.calls_nothing());
    story.after(2_000).heartbeat(2, &["a", "b"], &[], &[]);
    assert!(story.view.tasks.iter().all(|t| t.value.closed_since.is_none() && t.value.stopping.is_none()));
}

#[test]
fn a_worker_that_died_is_replaced_once() {
    let mut story = Story::with_workers(&["a", "b"]);
    let launch = story.ends("a", 137).called();
    assert_eq!(launch.spec.count, 1);
    story.replies(&launch, &["c"]).heartbeat(2, &["b"], &[], &["a"]);
    assert!(story.calls_nothing());
    assert_eq!(story.workers_charged(), 2);
}

#[test]
fn a_worker_that_never_connects_fails_the_cluster_after_three_tries() {
    let mut story = Story::running();
    for n in 0..3 {
        let launch =
            if n == 0 { story.heartbeat(1, &[], &[], &[]).called() } else { story.after(5_000).round().called() };
        let id = format!("n{n}");
        story.replies(&launch, &[id.as_str()]).ends(&id, 1);
        assert!(story.calls_nothing(), "it is judged first: a heartbeat may still name it");
        story.after(6_000).round();
        assert_eq!(story.cluster().worker_failures, n, "and not before the scheduler has spoken again");
        story.heartbeat(1, &[], &[], &[]);
    }
    assert_eq!(story.cluster().target, Status::Failed);
    assert_eq!(
        story.reason(),
        "3 workers in a row failed to start; the last: a worker ended before it connected: exit code 1"
    );
}

#[test]
fn a_scheduler_that_ends_by_itself_is_stopped_and_one_that_dies_is_failed() {
    let mut well = Story::running();
    assert_eq!(well.ends("s", 0).cluster().target, Status::Stopped);
    let mut dead = Story::running();
    assert_eq!(dead.ends("s", 137).cluster().target, Status::Failed);
    assert_eq!(dead.reason(), "the scheduler died: exit code 137");
}

#[test]
fn a_stopping_cluster_is_charged_until_its_last_task_is_seen_at_rest() {
    let mut story = Story::with_workers(&["a"]);
    story.stop();
    assert_eq!(story.cluster().status, Status::Stopping);
    assert!(!story.view.heartbeat.value.accepting);
    story.ends("s", 143);
    assert_eq!((story.cluster().status, story.workers_charged()), (Status::Stopping, 1));
    // asked again until it is seen gone
    story.after(40_000).round();
    assert!(story.actions.contains(&Action::Stop(TaskId("a".into()))));
    story.ends("a", 143);
    assert_eq!(story.cluster().status, Status::Stopped);
    assert_eq!(story.view.usage[0].value.counts, Counts::default());
    assert_eq!(story.actions, vec![Action::Unpublish, Action::Discard]);
    // a call of a caller that is gone may put route and credentials there again: once more, when none can land any more
    story.after(2 * Policy::default().caller_life_ms).round();
    assert_eq!(story.actions, vec![Action::Unpublish, Action::Discard]);
    assert!(!story.cluster().active && story.due_at.is_none());
}

#[test]
fn a_task_that_is_not_described_is_believed_gone_only_the_second_time_and_beyond_visibility() {
    let mut story = Story::with_workers(&["a"]);
    let missing = |story: &Story| Fact::Described { task: TaskId("a".into()), at: story.now, facts: None };
    story.facts = vec![missing(&story)];
    story.round();
    assert_eq!(story.view.tasks[1].value.missing, 0, "too young to be visible");
    story.after(5_000);
    story.facts = vec![missing(&story)];
    story.round();
    assert!(story.calls_nothing());
    story.after(5_000);
    story.facts = vec![missing(&story)];
    story.round();
    assert_eq!(story.called().spec.count, 1);
}

#[test]
fn what_has_no_room_waits_with_the_limits_name_and_starts_when_there_is_room() {
    let mut story = Story::running();
    story.view.limits.workers = Some(LimitValue { value: 2, from: Scope::Default });
    story.view.usage[0].value.counts.workers = 2;
    story.heartbeat(1, &[], &[], &[]);
    assert!(story.calls_nothing());
    assert_eq!(story.waiting(), "1 workers wait for room under `workers` of user:alice");
    assert!(story.due_at.is_some());
    story.view.usage[0].value.counts.workers = 0;
    assert_eq!(story.after(20_000).round().called().spec.count, 1);
}

#[test]
fn excess_that_never_connected_is_stopped_and_the_rest_is_the_schedulers() {
    let mut story = Story::with_workers(&["a"]);
    let launch = story.heartbeat(3, &["a"], &[], &[]).called();
    story.replies(&launch, &["b", "c"]);
    story.heartbeat(0, &[], &["a"], &[]);
    let stopped: Vec<_> = story.actions.iter().filter(|a| matches!(a, Action::Stop(_))).collect();
    assert_eq!(stopped.len(), 2);
    assert!(!stopped.contains(&&Action::Stop(TaskId("a".into()))));
}

#[test]
fn silence_alone_fails_nobody_and_three_unanswered_questions_do() {
    let mut cluster = Story::running().cluster().clone();
    let policy = Policy::default();
    let verdict = judge(&cluster, None, &Effective::default(), 0, 100_000, &policy);
    let silent = verdict.silent_ms.expect("overdue");
    let unanswered = Err(crate::ports::SchedulerError::Unanswered("refused".into()));
    let relay = Err(crate::ports::SchedulerError::Relay("no relay".into()));
    let few = Silence { active: 1, silent: 1 };
    assert_eq!(judge_silence(&cluster, silent, &Ok(crate::ports::Answer::Ok), few, &policy), Silent::Nothing);
    assert_eq!(judge_silence(&cluster, silent, &relay, few, &policy), Silent::Nothing);
    assert_eq!(judge_silence(&cluster, silent, &unanswered, few, &policy), Silent::Count(1));
    cluster.unanswered = 2;
    assert!(matches!(judge_silence(&cluster, silent, &unanswered, few, &policy), Silent::End(_)));
    let many = Silence { active: 10, silent: 9 };
    // what was not answered while nobody could be heard is no evidence afterwards
    assert_eq!(judge_silence(&cluster, silent, &unanswered, many, &policy), Silent::Count(1));
    cluster.unanswered = 1;
    assert_eq!(judge_silence(&cluster, silent, &unanswered, many, &policy), Silent::Nothing);
}

#[test]
fn our_own_absence_is_nobodys_silence() {
    let cluster = Story::running().cluster().clone();
    let verdict = judge(&cluster, None, &Effective::default(), 90_000, 100_000, &Policy::default());
    assert_eq!(verdict.silent_ms, None);
}
