//! What users are told while something goes wrong and is not decided yet: a silent scheduler, workers that fail to start.

use super::*;

/// The enforcement run doubts that the scheduler lives.
fn doubt(story: &mut Story, unanswered: u32) {
    let cluster = &mut story.snapshot.cluster;
    (cluster.value.unanswered, cluster.value.suspect, cluster.version) = (unanswered, true, cluster.version + 1);
    story.round();
}

fn facts_of_the_scheduler(story: &Story) -> TaskFacts {
    story
        .snapshot
        .tasks
        .iter()
        .find(|t| t.value.facts.role == TaskRole::Scheduler)
        .expect("a scheduler")
        .value
        .facts
        .clone()
}

#[test]
fn the_launcher_is_asked_about_a_silent_scheduler_until_it_is_heard_again() {
    let mut story = Story::with_workers(&["a"]);
    let id = TaskId("s".into());
    doubt(&mut story, 1);
    assert_eq!(story.actions, vec![Action::Observe(id.clone()), Action::Describe(vec![id.clone()])]);
    for _ in 0..3 {
        let facts = Some(facts_of_the_scheduler(&story));
        let described = Observation::Described { task: id.clone(), at: story.now, facts };
        story.observations = vec![Observation::Activity { activity: Some(Activity::Computing) }, described];
        story.round();
        assert_eq!(story.cluster().scheduler_activity, Some(Activity::Computing));
        assert_eq!(story.cluster().status, Status::Running);
        let again = story.now + 6 * story.policy.check_ms;
        assert_eq!(story.due_at, Some(again));
        story.now = again;
        story.round();
        assert!(story.actions.contains(&Action::Describe(vec![id.clone()])), "the answer may have been lost");
    }
    story.snapshot.cluster.value.unanswered = 0;
    story.observations =
        vec![Observation::Described { task: id, at: story.now, facts: Some(facts_of_the_scheduler(&story)) }];
    story.round();
    assert_eq!((story.cluster().scheduler_activity, story.due_at), (None, None));
}

#[test]
fn a_worker_that_waits_for_a_busy_scheduler_is_not_late_before_that_has_answered_for_a_while() {
    let mut story = Story::with_workers(&["a", "b"]);
    story.heartbeat(2, &["b"], &[], &["a"]);
    let limit = story.policy.worker_start_timeout_ms;
    let lives = |story: &Story| story.snapshot.tasks.iter().all(|t| t.value.stopping.is_none());
    doubt(&mut story, 1);
    story.after(limit + 1_000).heartbeat(2, &["b"], &[], &["a"]);
    assert!(lives(&story), "the first word of a scheduler that was busy");
    let cluster = &mut story.snapshot.cluster;
    (cluster.value.unanswered, cluster.value.answered_at) = (0, Some(story.now));
    story.after(limit).heartbeat(2, &["b"], &[], &["a"]);
    assert!(lives(&story));
    story.after(2_000).heartbeat(2, &["b"], &[], &["a"]);
    assert!(lives(&story), "this may be the first word of a scheduler that was busy again, and its answer was lost");
    story.after(1_000).heartbeat(2, &["b"], &[], &["a"]);
    assert!(!lives(&story), "it did not come back");
}

#[test]
fn a_silent_scheduler_that_cannot_be_asked_about_is_not_gone_and_one_that_is_gone_fails_its_cluster_at_once() {
    let mut story = Story::with_workers(&["a"]);
    doubt(&mut story, 1);
    story.after(story.policy.check_ms).round();
    assert_eq!(story.cluster().status, Status::Running, "the launcher gave no answer");
    story.ends("s", 137);
    assert_eq!(
        (story.cluster().target, story.reason().as_str()),
        (Status::Failed, "the scheduler died: exit code 137")
    );
}

#[test]
fn a_worker_that_ends_before_it_connects_is_told_at_once_and_until_one_connects() {
    let mut story = Story::running();
    let told = |story: &Story| story.cluster().start_failure.as_ref().map(|r| r.message.clone()).unwrap_or_default();
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    story.replies(&launch, &["a"]);
    assert_eq!(told(&story), "");
    let task = story.snapshot.tasks.iter_mut().find(|t| t.value.facts.id.0 == "a").expect("a worker");
    task.value.facts.last_lines = vec!["Traceback".into(), "ModuleNotFoundError: no module `x`".into(), "".into()];
    story.ends("a", 1);
    let first = "1 of 3 tries to start a worker failed; the last: a worker ended before it connected: exit code 1: \
                 ModuleNotFoundError: no module `x`";
    assert_eq!(told(&story), first);
    story.after(6_000).heartbeat(1, &[], &[], &[]);
    assert_eq!((story.cluster().worker_failures, told(&story).as_str()), (1, first), "checked, it counts once");
    let launch = story.after(2_000).round().called();
    story.replies(&launch, &["b"]);
    assert_eq!(told(&story), first, "the next try is under way");
    story.after(1_000).heartbeat(1, &["b"], &[], &[]);
    assert_eq!(told(&story), "");
}

#[test]
fn of_a_fatal_error_its_sentence_is_told_and_not_the_last_frame_of_its_stack() {
    let mut story = Story::running();
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    story.replies(&launch, &["a"]);
    let task = story.snapshot.tasks.iter_mut().find(|t| t.value.facts.id.0 == "a").expect("a worker");
    let lines =
        ["ModuleNotFoundError: no `x`", "", "Current thread 0x1 (most recent call first):", "  <no Python frame>", ""];
    task.value.facts.last_lines = lines.map(str::to_owned).into();
    story.ends("a", 1);
    let told = story.cluster().start_failure.as_ref().expect("told").message.clone();
    assert!(told.ends_with("exit code 1: ModuleNotFoundError: no `x`"), "{told}");
}

#[test]
fn a_worker_that_had_connected_before_it_ended_is_no_failed_start() {
    let mut story = Story::running();
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    story.replies(&launch, &["a"]).ends("a", 1);
    assert!(story.cluster().start_failure.is_some(), "perhaps");
    story.heartbeat(1, &[], &[], &["a"]);
    assert_eq!(story.cluster().start_failure, None);
}
