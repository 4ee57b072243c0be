//! The real template, deployed: stories told one after another on one stack, with the official client and real Dask processes.

use fake_ecs::{Fault, Then};
use faregate_aws_tests::settings::more_options;
use faregate_aws_tests::stack::{Options, Stack};
use faregate_aws_tests::wire::Faults;
use faregate_core::model::TaskState;
use faregate_tests::server::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One test, as a deployment takes long: the stories share it, and the last looks at what they leave.
#[tokio::test(flavor = "multi_thread")]
async fn stories_on_a_deployed_stack() {
    let stack = Stack::deploy(&Options { recorded: true, ..Options::default() });
    // it waits for passes by the schedule, so the others need not wait for it
    let idle = stack.script("scripts", "idle", &[]);
    told("a whole session", || stack.script("../scripts", "session", &["-", &more_options().to_string()]).ends_well());
    told_async("a killed worker", a_killed_worker_is_replaced_and_its_end_kept(&stack)).await;
    told_async("a killed scheduler", a_killed_scheduler_fails_its_cluster_by_its_event(&stack)).await;
    told_async("no events", a_killed_scheduler_is_found_without_its_event(&stack)).await;
    told("the last line", || stack.script("scripts", "last_line", &[]).ends_well());
    told_async("a bad image", an_image_that_cannot_be_pulled_is_named(&stack)).await;
    told("no capacity", || what_ecs_refuses_is_asked_for_again(&stack));
    told("odd events", || events_doubled_late_and_reversed_change_nothing(&stack));
    told_async("odd wakes", wakes_lost_doubled_and_reversed_change_nothing(&stack)).await;
    told_async("killed functions", functions_killed_in_the_middle_of_anything_lose_nothing(&stack)).await;
    told("idle", || idle.ends_well());
    told_async("the end", nothing_is_left(&stack)).await;
}

async fn a_killed_worker_is_replaced_and_its_end_kept(stack: &Stack) {
    let mut script = stack.script("scripts", "worker_killed", &[]);
    let cluster = script.hears("cluster");
    let victim = stack.running("worker", &cluster).remove(0);
    assert!(stack.ecs.kill(&victim));
    script.go_on();
    script.ends_well();
    let tasks = stack.recorded_tasks(&cluster).await;
    let end = &tasks.iter().find(|task| task.facts.id.0 == victim).unwrap().facts;
    assert_eq!((end.state, end.exit_code), (TaskState::Stopped, Some(137)), "{end:?}");
    assert!(end.stop_reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{end:?}");
    assert_eq!(tasks.len(), 4, "a scheduler, two workers, and one in place of one");
}

async fn a_killed_scheduler_fails_its_cluster_by_its_event(stack: &Stack) {
    let mut script = stack.script("scripts", "scheduler_killed", &[]);
    let cluster = script.hears("cluster");
    assert!(stack.ecs.kill(&stack.running("scheduler", &cluster)[0]));
    script.go_on();
    script.ends_well();
    let record = stack.cluster(&cluster).await;
    assert!(format!("{:?}", record.reason).contains("137"), "{record:?}");
}

async fn a_killed_scheduler_is_found_without_its_event(stack: &Stack) {
    let mut script = stack.script("scripts", "scheduler_killed", &[]);
    let cluster = script.hears("cluster");
    stack.ecs.turn(|knobs| knobs.events.drop = 1.0);
    assert!(stack.ecs.kill(&stack.running("scheduler", &cluster)[0]));
    script.go_on();
    eventually("it is failed by a pass", async || {
        stack.pass().await;
        !format!("{:?}", stack.cluster(&cluster).await.status).contains("Running")
    })
    .await;
    script.ends_well();
    stack.ecs.turn(|knobs| knobs.events.drop = 0.0);
}

async fn an_image_that_cannot_be_pulled_is_named(stack: &Stack) {
    stack.ecs.turn(|knobs| _ = knobs.unpullable_images.insert("nobody/has:this".into()));
    let mut script = stack.script("scripts", "bad_image", &["nobody/has:this"]);
    let cluster = script.hears("cluster");
    script.ends_well();
    let record = stack.cluster(&cluster).await;
    assert!(format!("{:?}", record.reason).contains("nobody/has:this"), "{record:?}");
}

fn what_ecs_refuses_is_asked_for_again(stack: &Stack) {
    stack.ecs.fail(Fault::next(1, "RunTask", Then::NoCapacity { start: 0 }));
    stack.ecs.fail(Fault::next(1, "RunTask", Then::VcpuLimit));
    stack.ecs.fail(Fault::next(2, "RunTask", Then::Throttled));
    stack.ecs.fail(Fault::next(1, "RunTask", Then::ReplyLost { status: false }));
    stack.ecs.fail(Fault::next(1, "StopTask", Then::Throttled));
    stack.script("scripts", "computes", &[]).ends_well();
    assert_eq!(stack.ecs.faults(), []);
}

fn events_doubled_late_and_reversed_change_nothing(stack: &Stack) {
    stack.ecs.turn(|knobs| (knobs.events.double, knobs.events.delay_up_to_ms) = (1.0, 2_000));
    stack.script("scripts", "computes", &[]).ends_well();
    stack.ecs.turn(|knobs| knobs.events = Default::default());
}

/// `kill -9`, five times a second, whichever runs. What they leave undone is due, and found by passes (killed too, now and then).
async fn functions_killed_in_the_middle_of_anything_lose_nothing(stack: &Stack) {
    let mut script = stack.script("scripts", "functions_killed", &[]);
    let cluster = script.hears("cluster");
    let killing = AtomicBool::new(true);
    let kills = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut kills = 0;
            while killing.load(Ordering::Relaxed) {
                let functions = stack.ministack.functions();
                if let Some(victim) = functions.get(kills % functions.len().max(1)) {
                    kill_process(Pid::from_raw(victim.pid).unwrap(), Signal::KILL).unwrap_or_default();
                    kills += 1;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            kills
        });
        let passes = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            while killing.load(Ordering::Relaxed) {
                let _ = runtime.block_on(stack.try_pass());
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        script.go_on();
        let scaled = catch_unwind(AssertUnwindSafe(|| script.hears("scaled")));
        killing.store(false, Ordering::Relaxed);
        passes.join().unwrap();
        let kills = killer.join().unwrap();
        scaled.unwrap_or_else(|panic| resume_unwind(panic));
        kills
    });
    assert!(kills > 0);
    assert_eq!((stack.running("scheduler", &cluster).len(), stack.running("worker", &cluster).len()), (1, 3));
    script.go_on();
    script.ends_well();
}

/// A lost wake is found by a pass: the schedule's, or one that the test adds so that nobody waits a minute.
async fn wakes_lost_doubled_and_reversed_change_nothing(stack: &Stack) {
    let wire = &stack.wires.as_ref().unwrap().aws;
    let odd = Faults {
        seed: 7,
        lost_messages: 30,
        doubled_messages: 30,
        late_messages: 30,
        late_ms: 2_000,
        ..Faults::default()
    };
    wire.set(odd);
    let script = stack.script("scripts", "computes", &[]);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            while !ended.load(Ordering::Relaxed) {
                let _ = runtime.block_on(stack.try_pass());
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| script.ends_well()));
        ended.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
    wire.set(Faults::default());
}

async fn nothing_is_left(stack: &Stack) {
    let mut left = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        left = stack.left().await;
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("left: {left:?}");
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: not within {} seconds", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn told(story: &str, tell: impl FnOnce()) {
    let begun = Instant::now();
    tell();
    eprintln!("{story}: {:?}", begun.elapsed());
}

async fn told_async(story: &str, tell: impl Future<Output = ()>) {
    let begun = Instant::now();
    tell.await;
    eprintln!("{story}: {:?}", begun.elapsed());
}
