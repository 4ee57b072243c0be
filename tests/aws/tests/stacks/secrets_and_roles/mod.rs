//! What a whole session calls and what it tells, on one deployed stack: every call is allowed, every right is used, and nothing secret
//! is where others can read it.

mod places;
mod rights;
mod roles;

use faregate_aws_tests::ministack::set_aws;
use faregate_aws_tests::python;
use faregate_aws_tests::settings::settings;
use faregate_aws_tests::stack::{Options, STACK, Stack};
use faregate_aws_tests::wire::Call;
use faregate_cli::admin::dynamodb;
use faregate_core::model::Cluster;
use faregate_core::ports::{Wake, Wakes};
use faregate_functions::SqsWakes;
use faregate_gateway::admin::Act;
use faregate_keys::{KeyRing, Use};
use faregate_tests::secrets::Secrets;
use faregate_tests::server::PATIENCE;
use places::{Told, told};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One test, as a deployment takes long, and so does a session.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_calls_what_roles_allow_and_tells_no_secret() {
    // an administrator is one only where everybody has a password of their own
    let parameters = [("LogLevel", "trace"), ("DashboardSignIn", "true"), ("SharedPassword", "false")];
    let parameters = BTreeMap::from(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut settings = settings();
    settings["auth"] = json!({"admins": ["root"]});
    let stack = Stack::deploy(&Options { settings, parameters, recorded: true, ..Options::default() });
    let accounts = dynamodb::open(&stack.sdk_config().await, stack.resource("Table")).unwrap().access;
    for user in ["alice", "root"] {
        let act = Act::new("command line: me", None).unwrap();
        accounts.add_user(&act, user, &stack.deployed.password).await.unwrap();
    }
    let wires = stack.wires.as_ref().unwrap();
    let mut user = stack.script("tests/stacks/secrets_and_roles", "user", &[]);
    let mut other = stack.script("scripts", "scheduler_killed", &[]);
    let mut third = stack.script("tests/stacks/secrets_and_roles", "unconnected", &[]);

    let mut secrets = Secrets::default();
    let ring = shared_secrets(&stack, &mut secrets);
    secrets.add("the dashboard's ticket", &user.hears("ticket"));
    secrets.add("the dashboard's cookie", &user.hears("pass"));
    let key: String = serde_json::from_str(&user.hears("key")).unwrap();
    let cluster = user.hears("cluster");
    let record = stack.cluster(&cluster).await;
    assert_eq!(key, secrets_of(&ring, &record, &mut secrets), "the user's key is the one on record");
    let failing = other.hears("cluster");
    secrets_of(&ring, &stack.cluster(&failing).await, &mut secrets);
    let unconnected = third.hears("cluster");
    secrets_of(&ring, &stack.cluster(&unconnected).await, &mut secrets);

    let live = told(&stack);
    let file = &live.bucket[&format!("clusters/{cluster}.env")];
    let found = secrets.within(file);
    assert!(["key", "token"].iter().all(|what| found.contains(&format!("{what} of {cluster}").as_str())), "{found:?}");
    let kept: String = live.secrets.values().map(String::as_str).collect();
    assert_eq!(secrets.within(&kept), ["the password", "the seed"]);
    assert_eq!(live.leaks(&secrets), [""; 0], "while clusters live");

    assert!(stack.ecs.kill(&stack.running("worker", &cluster)[0]));
    user.go_on();
    user.hears("replaced");
    // a scheduler that says nothing any more, and then is no more
    let scheduler = stack.running("scheduler", &failing).remove(0);
    freeze(&stack, &scheduler);
    eventually("a pass asks the scheduler in vain", async || {
        stack.pass().await;
        stack.cluster(&failing).await.unanswered > 0
    })
    .await;
    assert!(stack.ecs.kill(&scheduler));
    other.go_on();
    other.ends_well();
    eventually("a scheduler is asked about a worker that ended unconnected", async || {
        wires.aws.calls().iter().any(|call| called(call, "reconcile", stack.resource("RelayFunction")))
    })
    .await;
    third.go_on();
    third.ends_well();
    sweep(&stack).await;
    retirement_is_announced(&stack, &cluster).await;
    assert_eq!(told(&stack).leaks(&secrets), [""; 0], "after kills");
    limits_come_and_go(&stack).await;
    user.go_on();
    user.ends_well();
    eventually("nothing is left", async || stack.left().await.is_empty()).await;
    eventually("the sweep has seen the records", async || {
        wires.aws.calls().iter().any(|call| called(call, "reconcile", "/index/active"))
    })
    .await;

    let rest = told(&stack);
    assert_eq!(rest.leaks(&secrets), [""; 0], "at rest");
    assert!(rest.bucket.is_empty(), "a cluster's file goes when the cluster does");
    for function in ["api", "reconcile", "task-events", "enforce", "relay"] {
        assert!(rest.log(function).contains(r#""level":"TRACE""#), "{function} logs at trace:\n{}", rest.log(function));
    }
    every_place_is_looked_at(&rest, &cluster);
    assert_eq!(roles::readers_of_the_bucket(&stack), [""; 0]);
    let differ = roles::compare(&stack, &wires.calls());
    assert!(differ.is_empty(), "calls and roles differ:\n{}", differ.join("\n"));
}

/// Does this function call what ends so?
fn called(call: &Call, function: &str, on: &str) -> bool {
    call.app.as_deref() == Some(function) && call.resource.ends_with(on)
}

/// A cluster's name, which is no secret, is found where it belongs: so would a secret be.
fn every_place_is_looked_at(told: &Told, cluster: &str) {
    let mut names = Secrets::default();
    names.add("it", cluster);
    let found = told.leaks(&names).join("\n");
    let calls = ["calls of ecs:RunTask", "calls of sqs:SendMessage"];
    let logs = ["api", "reconcile", "task-events"].map(|function| format!("log /aws/lambda/{STACK}-{function}"));
    let others = ["STOPPED tasks", "tasks that ever were", "events of ECS", "the proxy's log", "table"];
    for place in calls.into_iter().chain(logs.iter().map(String::as_str)).chain(others) {
        assert!(found.contains(&format!("it in {place}")), "{place}: {found}");
    }
    for place in ["ACTIVE task definitions", &format!("stack {STACK}"), &format!("function {STACK}-reconcile")] {
        assert!(told.places[place].contains(STACK), "{place}");
    }
    assert!(told.places[&format!("log /faregate/{STACK}/tasks")].contains("distributed.scheduler"), "what tasks say");
}

/// An admin sets limits and takes them away again; the pass keeps what was in force, and forgets it.
async fn limits_come_and_go(stack: &Stack) {
    let mut admin = stack.script("tests/stacks/secrets_and_roles", "admin", &[]);
    for step in ["set", "taken away"] {
        admin.hears(step);
        stack.pass().await;
        admin.go_on();
    }
    admin.ends_well();
}

/// The password and the seed. The key ring that is made of the seed.
fn shared_secrets(stack: &Stack, secrets: &mut Secrets) -> KeyRing {
    let seeds: Vec<String> = told(stack).secrets.into_values().filter(|secret| secret.contains("seed")).collect();
    let seed: serde_json::Value = serde_json::from_str(&seeds[0]).unwrap();
    secrets.add("the seed", seed["seed"].as_str().unwrap());
    secrets.add("the password", &stack.deployed.password);
    KeyRing::from_secret(&seeds[0]).unwrap()
}

/// A cluster's own: its key, its token, the key of its dashboard. The key.
fn secrets_of(ring: &KeyRing, cluster: &Cluster, secrets: &mut Secrets) -> String {
    let name = &cluster.name;
    let key = String::from_utf8(ring.open(&cluster.tls_key, name).unwrap()).unwrap();
    secrets.add(format!("key of {name}"), &key);
    for (what, purpose) in [("token", Use::Cluster), ("dashboard's key", Use::Dashboard)] {
        secrets.add(format!("{what} of {name}"), &ring.token(&cluster.key_id, purpose, name).unwrap());
    }
    key
}

/// The sweep, which the pass sends every fifth minute.
async fn sweep(stack: &Stack) {
    let queue = aws_sdk_sqs::Client::new(&stack.sdk_config().await);
    let wakes = SqsWakes::new(|| queue, stack.resource("Wakes"));
    wakes.wake(Wake::OrphanScan { cursor: None }, 0).await.unwrap();
}

/// AWS Health names the cluster's scheduler: the cluster's record has it.
async fn retirement_is_announced(stack: &Stack, cluster: &str) {
    let task = stack.running("scheduler", cluster).remove(0);
    let notice = json!({
        "source": "aws.health", "detail-type": "AWS Health Event",
        "detail": {
            "eventTypeCode": "AWS_ECS_TASK_PATCHING_RETIREMENT", "startTime": "Tue, 8 Dec 2026 10:00:00 GMT",
            "affectedEntities": [{"entityValue": task}],
        },
    });
    let queue = aws_sdk_sqs::Client::new(&stack.sdk_config().await);
    queue.send_message().queue_url(stack.resource("Events")).message_body(notice.to_string()).send().await.unwrap();
    eventually("the scheduler's retirement is on record", async || {
        stack.cluster(cluster).await.scheduler_retires.is_some()
    })
    .await;
}

/// Stops a task's process, as a machine that hangs.
fn freeze(stack: &Stack, task: &str) {
    let tasks = stack.ecs.tasks();
    let known = tasks.iter().find(|known| known["taskArn"].as_str().unwrap().ends_with(task)).unwrap();
    let pid = Pid::from_raw(known["pid"].as_i64().unwrap() as i32).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
}

/// What one of the programs here says of the stack; of the fake ECS too, or of the emulator alone.
fn look(stack: &Stack, program: &str, arguments: &[&str], tasks_too: bool) -> serde_json::Value {
    let mut python = Command::new(python::emulator().python());
    set_aws(&mut python, &stack.ministack.url);
    if tasks_too {
        python.env("AWS_ENDPOINT_URL_ECS", stack.ecs.url());
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks/secrets_and_roles");
    let output = python.arg(here.join(program).with_extension("py")).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "`{program}.py` fails");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: not within {} seconds", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
