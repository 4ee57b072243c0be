//! The clock is set while a cluster runs.

use super::*;

const TEN_MINUTES: Ms = 600_000;

#[test]
fn a_clock_that_was_set_back_holds_no_launch_up() {
    for policy in [Policy::default(), Policy::fargate()] {
        let mut story = Story::new();
        (story.policy, story.now) = (policy, 10 * TEN_MINUTES);
        let launch = story.round().called();
        story.replies(&launch, &["s"]).heartbeat(0, &[], &[], &[]);
        let launch = story.heartbeat(1, &[], &[], &[]).called();
        story.replies(&launch, &["a"]).heartbeat(1, &["a"], &[], &[]);
        story.after(-TEN_MINUTES).heartbeat(2, &["a"], &[], &[]);
        let launch = story.called();
        story.replies(&launch, &["b"]);
        // and whatever fails is tried again soon
        story.ends("b", 1).after(20_000).heartbeat(2, &["a"], &[], &[]);
        let before = story.now;
        while story.calls_nothing() {
            story.now = story.due_at.expect("something is awaited").max(story.now);
            assert!(story.now - before < 120_000, "{:?}", story.cluster());
            story.round();
        }
    }
}

#[test]
fn what_waits_for_a_time_that_was_set_by_a_clock_ahead_waits_no_longer() {
    let mut story = Story::with_workers(&["a"]);
    story.now += 10 * TEN_MINUTES;
    story.stop();
    assert!(story.actions.contains(&Action::Stop(TaskId("a".into()))));
    story.after(-TEN_MINUTES).round();
    assert!(story.actions.contains(&Action::Stop(TaskId("a".into()))), "the next request would be ten minutes away");
    let times = |story: &Story| {
        (story.cluster().created_at, story.cluster().stopping_at, story.snapshot.heartbeat.value.seen_at)
    };
    let (created_at, stopping_at, seen_at) = times(&story);
    assert!([Some(created_at), stopping_at, seen_at].into_iter().flatten().all(|at| at <= story.now));
    let writes = reconcile(&story.snapshot, &[], story.now, &story.policy).writes;
    assert_eq!(writes, vec![], "brought back once");
}

#[test]
fn many_records_of_a_clock_ahead_are_brought_back_a_transaction_at_a_time() {
    let names: Vec<String> = (0..150).map(|n| format!("t{n}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut story = Story::running();
    story.now += 10 * TEN_MINUTES;
    story.policy.tasks_per_launch = 150;
    let launch = story.heartbeat(150, &[], &[], &[]).called();
    for ids in ids.chunks(50) {
        let at = story.now;
        let listed =
            |id: &&str| Observation::Listed { launch: launch.id.clone(), at, tasks: vec![story.task(&launch, id)] };
        story.observations = ids.iter().map(listed).collect();
        story.round();
    }
    story.after(-TEN_MINUTES);
    for _ in 0..10 {
        story.round(); // asserts that a transaction takes it
    }
    assert!(story.snapshot.tasks.iter().all(|task| task.value.facts.accepted_at <= story.now));
}

#[test]
fn a_clock_that_was_set_forward_makes_nobody_late() {
    let mut story = Story::running();
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    story.replies(&launch, &["a"]);
    story.after(6 * TEN_MINUTES);
    story.snapshot.steady_since = story.now;
    story.heartbeat(1, &[], &[], &[]);
    assert_eq!((story.cluster().worker_failures, story.snapshot.tasks[1].value.stopping.clone()), (0, None));
    let limit = story.policy.worker_start_timeout_ms;
    story.after(limit + 1).heartbeat(1, &[], &[], &[]);
    assert_eq!(story.cluster().worker_failures, 1, "by then it had its time");
}
