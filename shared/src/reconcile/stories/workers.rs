//! Workers that come, restart, die, or never were.

use super::*;

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
fn at_rest_a_round_writes_nothing() {
    let mut story = Story::with_workers(&["a", "b"]);
    story.after(100_000);
    let plan = reconcile(&story.view, &[], story.now, &story.policy);
    assert_eq!(plan.writes, vec![]);
    assert_eq!((plan.after.len(), plan.due_at), (0, None));
}
