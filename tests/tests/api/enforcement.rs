//! The enforcement run over a gateway that is otherwise at rest: what it asks, what it writes, what its users read.

use faregate_core::model::{
    Cluster, ClusterConfig, ClusterName, Counts, Limits, Policy, Prices, Rates, Reason, ReasonCode, Record, Scope,
    Status, TaskId, TaskRole, Usage,
};
use faregate_core::ports::{Expect, Host, Idleness, Question, Store, Write};
use faregate_gateway::EnforcementReport;
use faregate_tests::api::{Api, Setup};
use insta::assert_snapshot;

const S: i64 = 1000;
const HOUR: i64 = 3_600_000;

/// Alice is in the group `a`.
async fn api(base: ClusterConfig, policy: Policy) -> Api {
    let groups = [("a".to_owned(), ["alice".to_owned()].into())].into();
    Api::with(Setup { base, policy, groups, ..Setup::default() }).await
}

async fn enforce(api: &Api) -> EnforcementReport {
    api.enforcer.enforce(api.host.now()).await.unwrap()
}

async fn record(api: &Api, name: &ClusterName) -> Cluster {
    api.store.cluster(name).await.unwrap().unwrap().value
}

/// The message of the warning that stands in a cluster's record.
async fn warning(api: &Api, name: &ClusterName) -> String {
    match &record(api, name).await.warnings[..] {
        [warning] => warning.message.replace(name.as_str(), "<name>"),
        other => panic!("one warning: {other:?}"),
    }
}

async fn ended(api: &Api, name: &ClusterName) -> (ReasonCode, String) {
    let cluster = record(api, name).await;
    assert_eq!((cluster.target, cluster.status), (Status::Stopped, Status::Stopping), "{:?}", cluster.reason);
    let reason = cluster.reason.unwrap();
    (reason.code, reason.message)
}

fn warnings_among(questions: &[Question]) -> Vec<&str> {
    let messages = questions.iter().filter_map(|question| match question {
        Question::Warn { message } => Some(message.as_str()),
        _ => None,
    });
    messages.collect()
}

#[tokio::test]
async fn while_spot_has_no_capacity_users_are_told_once_that_workers_start_on_demand() {
    let base = ClusterConfig { fargate_spot: true, ..ClusterConfig::default() };
    let api = api(base, Policy::default()).await;
    let name = api.running("alice").await;
    assert_eq!(enforce(&api).await.warned, 0);
    edit(&api, &name, |cluster| cluster.spot_after = Some(api.host.now() + 600 * S)).await;
    api.schedulers.take();
    assert_eq!(enforce(&api).await.warned, 1);
    let said = warning(&api, &name).await;
    assert_snapshot!(said, @"Spot has no capacity: for 10 minutes, until it is tried again, new workers start on demand, which costs about three times as much");
    assert_eq!(warnings_among(&api.schedulers.take()), [said]);
    assert_eq!(enforce(&api).await.warned, 0);
    api.host.pass(601 * S);
    enforce(&api).await;
    assert_eq!(record(&api, &name).await.warnings, vec![], "Spot is tried again");
}

/// Writes something into a cluster's record.
async fn edit(api: &Api, name: &ClusterName, change: impl FnOnce(&mut Cluster)) {
    let mut stored = api.store.cluster(name).await.unwrap().unwrap();
    change(&mut stored.value);
    let record = Record::Cluster(Box::new(stored.value));
    api.store.transact(vec![Write::Put { record, expect: Expect::Version(stored.version) }]).await.unwrap();
}

#[tokio::test]
async fn how_long_a_cluster_took_to_start_is_told_once() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    let name = api.create("alice").await;
    api.host.pass(7 * S);
    api.run(&name).await;
    assert_eq!(enforce(&api).await.starts_ms, [7 * S]);
    api.host.pass(60 * S);
    assert_eq!(enforce(&api).await.starts_ms, [0; 0]);
}

#[tokio::test]
async fn what_keeps_clusters_from_starting_is_counted_by_its_reason() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    for code in [ReasonCode::WaitingForCapacity, ReasonCode::WaitingForPermissions, ReasonCode::WaitingForPermissions] {
        let name = api.running("alice").await;
        edit(&api, &name, |cluster| cluster.waiting = Some(Reason::new(code, "why"))).await;
    }
    let name = api.running("alice").await;
    edit(&api, &name, |cluster| {
        cluster.end(Status::Failed, Reason::new(ReasonCode::LaunchRejected, "why"), api.host.now());
    })
    .await;
    let blocked = enforce(&api).await.blocked;
    assert_eq!((blocked.capacity, blocked.permissions, blocked.refused, blocked.limits), (1, 2, 1, 0));
}

/// The task of a cluster's scheduler.
async fn scheduler(api: &Api, name: &ClusterName) -> TaskId {
    let tasks = api.store.children(name).await.unwrap().tasks;
    tasks.into_iter().map(|task| task.value.facts).find(|facts| facts.role == TaskRole::Scheduler).unwrap().id
}

#[tokio::test]
async fn whose_scheduler_retires_is_warned_once_and_others_are_not() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    let (name, other) = (api.running("alice").await, api.running("bob").await);
    api.want(&other, 1).await;
    let worker = TaskId(api.launcher.workers(&other).remove(0).trim_start_matches("w-").to_owned());
    let tasks = [scheduler(&api, &name).await, worker, TaskId("of-another-stack".into())];
    for _ in 0..2 {
        api.task_events.announce_retirement(&tasks, "Tue, 8 Dec 2026 10:00:00 GMT").await.unwrap();
    }
    api.schedulers.take();
    assert_eq!(enforce(&api).await.warned, 1);
    let said = warning(&api, &name).await;
    assert_snapshot!(said, @"AWS renews what this cluster's scheduler runs on (Tue, 8 Dec 2026 10:00:00 GMT): the cluster ends then, with all results that are in its memory; save them, and make a new cluster before");
    assert_eq!(warnings_among(&api.schedulers.take()), [said]);
    assert_eq!((enforce(&api).await.warned, warnings_among(&api.schedulers.take()).len()), (0, 0));
    assert_eq!(record(&api, &other).await.warnings, vec![], "a worker is replaced");
}

#[tokio::test]
async fn a_cluster_is_warned_once_before_its_lifetime_is_over_and_ended_then() {
    let base = ClusterConfig { lifetime: 3600.0, ..ClusterConfig::default() };
    let api = api(base, Policy::default()).await;
    let name = api.running("alice").await;
    api.host.pass(HOUR - 601 * S);
    assert_eq!((enforce(&api).await.warned, api.schedulers.take()), (0, vec![]));
    api.host.pass(S);
    assert_eq!(enforce(&api).await.warned, 1);
    let said = warning(&api, &name).await;
    assert_snapshot!(said, @"this cluster ends at 2027-01-15 09:00:00 UTC, when its lifetime of 3600 s is over; `POST /api/v1/clusters/<name>/extend` gives it more time");
    let asked = api.schedulers.take();
    assert_eq!(warnings_among(&asked), [said.replace("<name>", name.as_str())]);

    let stored = api.everything_stored();
    assert_eq!((enforce(&api).await.warned, api.schedulers.take()), (0, vec![]));
    assert_eq!(api.everything_stored(), stored, "nothing is written where nothing changed");

    api.host.pass(600 * S);
    assert_eq!(enforce(&api).await.ended, 1);
    assert_eq!(ended(&api, &name).await, (ReasonCode::MaxLifetime, "its lifetime of 3600 s is over".into()));
}

#[tokio::test]
async fn schedulers_are_asked_when_their_answer_can_matter_and_a_cluster_without_clients_ends() {
    let base = ClusterConfig { no_client_timeout: 60.0, ..ClusterConfig::default() };
    let api = api(base, Policy::default()).await;
    let name = api.running("alice").await;
    let idle = async |clientless_ms: Option<i64>| {
        *api.schedulers.idleness.lock().unwrap() = Some(Idleness { clientless_ms, ..Idleness::default() });
        let report = enforce(&api).await;
        (api.schedulers.take().len(), report.ended)
    };
    assert_eq!(idle(None).await, (0, 0), "it runs for less than its timeout");
    api.host.pass(60 * S);
    assert_eq!(idle(None).await, (1, 0), "a client is connected");
    api.host.pass(59 * S);
    assert_eq!(idle(None).await, (0, 0), "it cannot be over");
    api.host.pass(S);
    *api.schedulers.idleness.lock().unwrap() = None;
    assert_eq!(
        (enforce(&api).await.asked, enforce(&api).await.asked),
        (1, 0),
        "who does not answer is not asked at once again"
    );
    api.schedulers.take();
    api.host.pass(Policy::default().heartbeat_period_ms);
    assert_eq!(idle(Some(20 * S)).await, (1, 0));
    api.host.pass(39 * S);
    assert_eq!(idle(Some(59 * S)).await, (0, 0));
    api.host.pass(S);
    assert_eq!(idle(Some(60 * S)).await, (1, 1));
    let (code, message) = ended(&api, &name).await;
    assert_eq!(code, ReasonCode::NoClient);
    assert_snapshot!(message, @"no client was connected for 60 s; its timeout without clients is 60 s (`no_client_timeout`)");
}

#[tokio::test]
async fn what_an_enforcement_run_has_no_time_to_ask_is_left_and_said() {
    let base = ClusterConfig { idle_timeout: 60.0, ..ClusterConfig::default() };
    let api = api(base, Policy { enforcement_ms: -1, ..Policy::default() }).await;
    for _ in 0..3 {
        api.running("alice").await;
    }
    enforce(&api).await;
    api.host.pass(60 * S);
    let report = enforce(&api).await;
    assert_eq!((report.asked, report.unasked, report.idle_delay_ms), (0, 3, 0));
    api.host.pass(7 * S);
    assert_eq!(enforce(&api).await.idle_delay_ms, 7 * S);
    assert_eq!(api.schedulers.take(), vec![]);
}

#[tokio::test]
async fn a_limit_lowered_under_what_runs_takes_from_the_newest_and_says_so() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    let old = api.running("alice").await;
    api.want(&old, 3).await;
    api.host.pass(S);
    let new = api.running("alice").await;
    api.want(&new, 4).await;
    api.schedulers.take();
    assert_eq!(enforce(&api).await.over_limits, 0);

    api.limit("user:alice", Limits { workers: Some(5), ..Limits::default() }).await;
    assert_eq!(enforce(&api).await.over_limits, 1);
    let shrink = record(&api, &new).await.shrink.unwrap();
    assert_eq!((shrink.keep, shrink.end, record(&api, &old).await.shrink), (2, false, None));
    let said = warning(&api, &new).await;
    assert_snapshot!(said, @"the limit `workers` = 5 of user:alice was lowered and leaves 2 of this cluster's 4 workers (older clusters have 3); the others are retired, and those that are left at 2027-01-15 08:01:31 UTC are stopped");
    let asked = api.schedulers.take();
    assert!(asked.contains(&Question::Retire { keep: 2 }), "{asked:?}");
    assert_eq!(warnings_among(&asked), [said]);

    // while it stands it is asked for again, and nothing is written
    api.turn(&new).await;
    let stored = api.everything_stored();
    enforce(&api).await;
    assert_eq!((api.schedulers.take(), api.everything_stored()), (vec![Question::Retire { keep: 2 }], stored));

    // what the scheduler does not retire is stopped
    api.host.pass(api.gateway.policy().retire_ms);
    for _ in 0..3 {
        api.turn(&new).await;
        api.host.pass(api.gateway.policy().check_ms);
    }
    assert_eq!((api.launcher.workers(&old).len(), api.launcher.workers(&new).len()), (3, 2));
    enforce(&api).await;
    let rested = record(&api, &new).await;
    assert_eq!((rested.shrink, rested.warnings, rested.reserved.counts.workers), (None, vec![], 2));
}

#[tokio::test]
async fn a_limit_raised_again_is_forgotten() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    let name = api.running("alice").await;
    api.want(&name, 3).await;
    api.limit("group:a", Limits { total_workers: Some(1), ..Limits::default() }).await;
    enforce(&api).await;
    assert_eq!(record(&api, &name).await.shrink.unwrap().keep, 1);
    api.limit("group:a", Limits { total_workers: Some(3), ..Limits::default() }).await;
    assert_eq!(enforce(&api).await.over_limits, 0);
    let after = record(&api, &name).await;
    assert_eq!((after.shrink, after.warnings), (None, vec![]));
}

#[tokio::test]
async fn clusters_beyond_a_lowered_number_end_newest_first() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    let old = api.running("alice").await;
    api.host.pass(S);
    let new = api.running("alice").await;
    api.limit("default", Limits { clusters: Some(1), ..Limits::default() }).await;
    enforce(&api).await;
    assert_snapshot!(warning(&api, &new).await, @"the limit `clusters` = 1 of default was lowered and leaves no room for this cluster (older clusters have 1); it is stopped at 2027-01-15 08:01:31 UTC");
    api.host.pass(api.gateway.policy().retire_ms);
    api.turn(&new).await;
    let (code, message) = ended(&api, &new).await;
    assert_eq!(code, ReasonCode::LimitLowered);
    assert_snapshot!(message, @"the limit `clusters` = 1 of default was lowered and leaves no room for this cluster (older clusters have 1)");
    enforce(&api).await;
    assert_eq!(record(&api, &old).await.shrink, None);
}

#[tokio::test]
async fn a_budget_is_warned_of_at_four_fifths_and_what_overspends_it_is_stopped() {
    // a scheduler of one core with 2 GiB costs 1.20 USD an hour
    let default = Rates { vcpu_hour: 1.0, gib_hour: 0.1, ..Rates::default() };
    let policy = Policy { prices: Prices { default, ..Prices::default() }, ..Policy::default() };
    let api = api(ClusterConfig::default(), policy).await;
    let name = api.running("alice").await;
    api.limit("user:alice", Limits { budget: Some(12.0), ..Limits::default() }).await;
    api.host.pass(7 * HOUR);
    assert_eq!(enforce(&api).await.warned, 0);
    api.host.pass(HOUR);
    assert_eq!(enforce(&api).await.warned, 1);
    let said = warning(&api, &name).await;
    assert_snapshot!(said, @"the limit `budget` = 12 USD of user:alice is nearly spent: 9.62 USD used by user:alice in 2027-01; at 12 USD nothing new starts, and above 13.20 USD what runs is stopped");
    assert_eq!(enforce(&api).await.warned, 0, "they know");
    api.host.pass(HOUR);
    assert_eq!((enforce(&api).await.warned, warning(&api, &name).await), (0, said));
    api.host.pass(2 * HOUR);
    assert_eq!(enforce(&api).await.ended, 1);
    let (code, message) = ended(&api, &name).await;
    assert_eq!(code, ReasonCode::Budget);
    assert_snapshot!(message, @"the limit `budget` = 12 USD of user:alice is overspent: 13.22 USD used by user:alice in 2027-01; above 13.20 USD what runs is stopped");
}

#[tokio::test]
async fn counters_that_drifted_are_repaired_step_by_step() {
    let api = api(ClusterConfig::default(), Policy::default()).await;
    let name = api.running("alice").await;
    api.want(&name, 2).await;
    let scopes = [Scope::User("alice".into()), Scope::Group("a".into())];
    let good = api.store.usage(&scopes).await.unwrap();
    assert_eq!(api.enforcer.recount_active().await, Ok(0));
    for (scope, usage) in scopes.iter().zip(&good) {
        let drifted = Usage { counts: usage.value.counts + Counts::CLUSTER, ..usage.value.clone() };
        api.store.put_usage(&drifted, usage.version).await.unwrap();
        assert_eq!(&drifted.scope, scope);
    }
    let (repaired, left) = api.enforcer.recount_step(None).await.unwrap();
    assert_eq!((repaired, left.is_some()), (1, true), "users first");
    assert_eq!(
        api.enforcer.recount_step(left.clone()).await.unwrap(),
        (0, None),
        "a group that was changed lately is left"
    );
    api.host.pass(HOUR);
    assert_eq!(api.enforcer.recount_step(left).await.unwrap(), (1, None));
    let now = api.store.usage(&scopes).await.unwrap();
    assert_eq!(
        now.iter().map(|u| u.value.counts).collect::<Vec<_>>(),
        good.iter().map(|u| u.value.counts).collect::<Vec<_>>()
    );
}
