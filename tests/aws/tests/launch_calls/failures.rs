//! Starts that fail and launches that are refused: what ends a cluster, what is waited for, and what its user is told.

use super::inside;
use fake_ecs::{Fault, StartFailures, Then};
use faregate_aws_tests::inside::served::{Served, heartbeat};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_core::model::{ClusterName, Policy, TaskId};
use faregate_tests::server::PATIENCE;
use futures::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Fargate's, made quick.
fn policy() -> Policy {
    let (start_backoff_ms, launch_retry_ms, check_ms) = (100, 100, 100);
    Policy { start_backoff_ms, launch_retry_ms, check_ms, ..Policy::fargate() }
}

/// A cluster whose scheduler says what is so, and whose workers connect when they run.
struct Cluster {
    inside: Inside,
    served: Served,
    name: ClusterName,
}

impl Cluster {
    async fn start(policy: Policy, before: impl FnOnce(&Inside)) -> Cluster {
        let (inside, served) = inside(Options { policy, ..Options::default() }).await;
        before(&inside);
        let name = served.create("alice").await;
        Cluster { inside, served, name }
    }

    /// One with two workers that have connected.
    async fn computing() -> Cluster {
        let cluster = Cluster::start(policy(), |_| ()).await;
        cluster.until(2, "two workers", |told| told["workers"]["running"] == 2).await;
        cluster
    }

    fn tasks(&self, role: &str) -> Vec<Value> {
        let group = format!("{role}:{}", self.name);
        self.inside.ecs.tasks().into_iter().filter(|task| task["group"] == *group).collect()
    }

    /// What the scheduler says, if one runs: so many are wanted, and those that run are there.
    async fn beat(&self, wanted: u32) {
        let runs = |task: &&Value| task["lastStatus"] == "RUNNING";
        let schedulers = self.tasks("scheduler");
        let Some(scheduler) = schedulers.iter().find(runs) else { return };
        let address = scheduler["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].as_str().unwrap();
        let id = |task: &Value| TaskId(task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
        let workers: Vec<TaskId> = self.tasks("worker").iter().filter(runs).map(id).collect();
        // one that ends is told so
        self.served.try_heartbeat(&self.inside, &self.name, &heartbeat(address, wanted, &workers)).await;
    }

    async fn explain(&self) -> Value {
        self.served.call("GET", &format!("{}/explain", self.name)).basic("alice").send().await.json()
    }

    /// What its user is told, once it is this, while so many workers are wanted. All that was told on the way is in `passed`.
    async fn until_told(
        &self,
        wanted: u32,
        what: &str,
        passed: &mut Vec<Value>,
        done: impl Fn(&Value) -> bool,
    ) -> Value {
        let begun = Instant::now();
        loop {
            self.beat(wanted).await;
            let told = self.explain().await;
            if done(&told) {
                return told;
            }
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}: {told:#}");
            passed.push(told);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn until(&self, wanted: u32, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        self.until_told(wanted, what, &mut Vec::new(), done).await
    }

    async fn runs(&self) -> Value {
        self.until(0, "it runs", |told| told["status"] == "RUNNING").await
    }

    /// What is told at its end; it must not have run before.
    async fn fails(&self, wanted: u32) -> String {
        let told = self.until(wanted, "it fails", |told| told["target"] != "RUNNING").await;
        assert_eq!(told["target"], "FAILED", "{told:#}");
        told["reason"]["message"].as_str().unwrap().to_owned()
    }
}

fn refusal(code: &str, message: &str) -> Then {
    Then::Error { status: 400, name: code.into(), message: message.into() }
}

fn has_message(told: &Value, words: &str) -> bool {
    told["waiting"]["message"].as_str().is_some_and(|message| message.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_siblings_three_that_get_no_network_interface_are_started_again_and_end_nothing() {
    let cluster = Cluster::computing().await;
    let taken = cluster.inside.ecs.tasks().len() as u64;
    let failed = |failures: &StartFailures| (taken..taken + 10).filter(|n| failures.of(*n).is_some()).count();
    let some = (0..).map(|seed| StartFailures { rate: 0.3, seed });
    let three = some.into_iter().find(|failures| failed(failures) == 3).unwrap();
    cluster.inside.ecs.turn(|knobs| knobs.start_failures = three);
    cluster.until(12, "three fail", |_| cluster.tasks("worker").len() >= 12).await;
    cluster.inside.ecs.turn(|knobs| knobs.start_failures = StartFailures::default());
    let told = cluster.until(12, "twelve workers", |told| told["workers"]["running"] == 12).await;
    assert_eq!((&told["target"], &told["reason"]), (&"RUNNING".into(), &Value::Null), "{told:#}");
    assert_eq!(cluster.tasks("worker").len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_gone_for_a_while_ends_no_cluster_in_which_workers_have_connected() {
    let cluster = Cluster::computing().await;
    cluster.inside.ecs.turn(|knobs| knobs.unpullable_images = ["dask".to_owned()].into());
    let four_tries =
        |told: &Value| has_message(told, "4 tries in a row to start a worker failed, and it is tried again");
    let told = cluster.until(5, "it is told", four_tries).await;
    assert_eq!((&told["target"], &told["workers"]["running"]), (&"RUNNING".into(), &2.into()), "{told:#}");
    cluster.inside.ecs.turn(|knobs| knobs.unpullable_images.clear());
    cluster.until(5, "five workers", |told| told["workers"]["running"] == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there_ends_a_cluster_at_the_third_try() {
    let cluster = Cluster::start(policy(), |_| ()).await;
    cluster.runs().await;
    cluster.inside.ecs.turn(|knobs| knobs.unpullable_images = ["dask".to_owned()].into());
    let why = cluster.fails(2).await;
    assert!(why.starts_with("3 workers in a row failed to start") && why.contains("cannot be pulled"), "{why}");
    assert_eq!(cluster.tasks("worker").len(), 6, "three launches of two");
    let broken = |inside: &Inside| inside.ecs.turn(|knobs| knobs.unpullable_images = ["dask".to_owned()].into());
    let cluster = Cluster::start(policy(), broken).await;
    let why = cluster.fails(0).await;
    assert!(why.contains("the image `dask` cannot be pulled"), "{why}");
    assert_eq!(cluster.tasks("scheduler").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_the_platform_fails_to_start_is_started_until_it_runs() {
    let all_fail = |inside: &Inside| {
        inside.ecs.turn(|knobs| knobs.start_failures = StartFailures { rate: 1.0, seed: 7 });
    };
    let cluster = Cluster::start(policy(), all_fail).await;
    let mut passed = Vec::new();
    cluster.until_told(0, "four tries", &mut passed, |_| cluster.tasks("scheduler").len() > 4).await;
    assert!(passed.iter().any(|told| has_message(told, "the scheduler was not started: ")), "{passed:#?}");
    cluster.inside.ecs.turn(|knobs| knobs.start_failures = StartFailures::default());
    let told = cluster.runs().await;
    assert_eq!(told["reason"], Value::Null, "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_pass_are_waited_for_by_new_clusters_and_by_those_that_grow() {
    let internal = "An internal error has occurred (ErrorCode: InternalError)";
    let role = "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.";
    let linked = "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
    let denied = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ecs:RunTask";
    let refusals = [
        ("InvalidParameterException", format!("Error retrieving security group information for [sg-1]: {internal}")),
        ("InvalidParameterException", format!("Error retrieving subnet information for [subnet-1]: {internal}")),
        ("AccessDeniedException", denied.to_owned()),
        ("ClientException", role.to_owned()),
        ("InvalidParameterException", linked.to_owned()),
        ("BlockedException", "Your AWS account was blocked.".to_owned()),
        ("LimitExceededException", "The limit for the resource was exceeded.".to_owned()),
        ("ExpiredTokenException", "The security token included in the request is expired".to_owned()),
        ("ServiceUnavailableException", "try again".to_owned()),
    ];
    join_all(refusals.iter().map(|(code, message)| passes(code, message))).await;
}

/// The first launch of a cluster is refused so, and then the first three of its workers.
async fn passes(code: &str, message: &str) {
    let refused = |times| Fault::next(times, "RunTask", refusal(code, message));
    let cluster = Cluster::start(policy(), |inside| inside.ecs.fail(refused(1))).await;
    cluster.runs().await;
    cluster.inside.ecs.fail(refused(3));
    let told = cluster.until(3, "three workers", |told| told["workers"]["running"] == 3).await;
    assert_eq!((&told["reason"], cluster.inside.ecs.faults().len()), (&Value::Null, 0), "{code}: {told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_that_do_not_arrive_in_time_are_final_and_named() {
    let policy = Policy { permissions_ms: 1_000, ..policy() };
    let denied = Fault::next(1_000, "RunTask", refusal("AccessDeniedException", "may not pass the role"));
    let cluster = Cluster::start(policy, |inside| inside.ecs.fail(denied)).await;
    let mut passed = Vec::new();
    let failed = |told: &Value| told["target"] == "FAILED";
    let told = cluster.until_told(0, "it fails", &mut passed, failed).await;
    assert!(passed.iter().any(|told| told["waiting"]["code"] == "waiting-for-permissions"), "{passed:#?}");
    let why = told["reason"]["message"].as_str().unwrap();
    assert!(why.starts_with("the scheduler cannot be started: may not pass the role"), "{why}");
    assert!(cluster.inside.ecs.calls("RunTask") > 1);
}
