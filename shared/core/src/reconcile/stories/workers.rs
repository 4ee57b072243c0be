//! Workers that come, restart, die, or never were.

use super::*;

#[test]
fn a_closed_worker_whose_task_lives_is_restarting_and_not_replaced() {
    let mut story = Story::with_workers(&["a", "b"]);
    story.heartbeat(2, &["b"], &[], &["a"]);
    assert!(story.calls_nothing());
    story.after(2_000).heartbeat(2, &["a", "b"], &[], &[]);
    assert!(story.snapshot.tasks.iter().all(|t| t.value.closed_since.is_none() && t.value.stopping.is_none()));
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
        assert!(story.calls_nothing(), "it is checked first: a heartbeat may still name it");
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

/// A running cluster whose scheduler has a dashboard, and the first launch of its one worker.
fn with_dashboard() -> (Story, Launch) {
    let mut story = Story::running();
    story.snapshot.cluster.value.addresses.as_mut().unwrap().dashboard = Some(at(API));
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    (story, launch)
}

fn asked(story: &Story) -> Option<Vec<TaskId>> {
    story.actions.iter().find_map(|action| match action {
        Action::AskSeen(address, tasks) if *address == at(API) => Some(tasks.clone()),
        _ => None,
    })
}

fn says_of(story: &mut Story, id: &str, seen: bool) {
    let asked = vec![TaskId(id.into())];
    let seen = seen.then(|| asked[0].worker_name()).into_iter().collect();
    story.observations.push(Observation::Seen { asked, seen });
    story.round();
}

#[test]
fn a_worker_that_the_scheduler_never_saw_is_judged_without_a_heartbeat() {
    let (mut story, first) = with_dashboard();
    let mut launch = first;
    for n in 1..=3 {
        let id = format!("n{n}");
        story.replies(&launch, &[id.as_str()]).ends(&id, 1);
        assert_eq!(asked(&story), Some(vec![TaskId(id.clone())]));
        assert!(matches!(story.actions.last(), Some(Action::AskSeen(..))), "no other call waits for a scheduler");
        assert!(story.calls_nothing());
        says_of(&mut story, &id, false);
        assert_eq!((story.cluster().worker_failures, asked(&story)), (n, None));
        if n < 3 {
            assert!(story.calls_nothing(), "a broken command starts no storm");
            launch = story.after(2_000).round().called();
        }
    }
    assert_eq!(story.cluster().target, Status::Failed);
}

#[test]
fn a_worker_that_the_scheduler_saw_before_any_heartbeat_named_it_is_replaced_at_once_and_is_no_failure() {
    let (mut story, launch) = with_dashboard();
    story.replies(&launch, &["n"]).ends("n", 137);
    says_of(&mut story, "n", true);
    assert_eq!(story.called().spec.count, 1);
    assert_eq!(story.cluster().worker_failures, 0);
}

#[test]
fn a_scheduler_that_does_not_say_is_asked_again_in_peace_and_its_next_heartbeat_judges() {
    let (mut story, launch) = with_dashboard();
    story.replies(&launch, &["n"]).ends("n", 1);
    assert!(asked(&story).is_some());
    assert_eq!(asked(story.round()), None, "not at every wake");
    assert_eq!(asked(story.after(story.policy.check_ms).round()), Some(vec![TaskId("n".into())]));
    assert_eq!(story.cluster().worker_failures, 0);
    assert!(story.due_at.is_some());
    story.heartbeat(1, &[], &[], &[]);
    assert_eq!(story.cluster().worker_failures, 1);
    assert_eq!(asked(story.after(1_000).round()), None);
}

#[test]
fn an_answer_about_a_worker_that_runs_says_nothing() {
    let (mut story, launch) = with_dashboard();
    story.replies(&launch, &["n"]);
    says_of(&mut story, "n", false);
    assert_eq!((story.cluster().worker_failures, asked(&story)), (0, None));
    assert!(story.calls_nothing());
}

#[test]
fn a_task_that_is_not_described_is_believed_gone_only_the_second_time_and_beyond_visibility() {
    let mut story = Story::with_workers(&["a"]);
    let missing = |story: &Story| Observation::Described { task: TaskId("a".into()), at: story.now, facts: None };
    story.observations = vec![missing(&story)];
    story.round();
    assert_eq!(story.snapshot.tasks[1].value.missing, 0, "too young to be visible");
    story.after(5_000);
    story.observations = vec![missing(&story)];
    story.round();
    assert!(story.calls_nothing());
    story.after(5_000);
    story.observations = vec![missing(&story)];
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
    let plan = reconcile(&story.snapshot, &[], story.now, &story.policy);
    assert_eq!(plan.writes, vec![]);
    assert_eq!((plan.after.len(), plan.due_at), (0, None));
}
