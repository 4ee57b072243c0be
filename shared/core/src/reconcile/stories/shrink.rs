//! A limit is lowered under what runs.

use super::*;

fn lowered(keep: u32, end: bool, ids: &[&str]) -> Story {
    let mut story = Story::with_workers(ids);
    for (n, task) in story.snapshot.tasks.iter_mut().enumerate() {
        task.value.facts.accepted_at += n as Ms;
    }
    let message = format!("the limit `workers` = {keep} of user:alice was lowered; {} are in use", ids.len());
    story.snapshot.limits.workers = Some(LimitValue { value: i64::from(keep), from: Scope::User("alice".into()) });
    let reason = Reason::new(ReasonCode::LimitLowered, message);
    story.snapshot.cluster.value.shrink = Some(Shrink { keep, end, since: story.now, reason });
    story.round();
    story
}

fn stopped(story: &Story) -> Vec<&str> {
    let stopped = |action: &'_ _| matches!(action, &Action::Stop(_));
    let id = |action: &'_ Action| match action {
        Action::Stop(id) => story.snapshot.tasks.iter().position(|t| t.value.facts.id == *id),
        _ => None,
    };
    let at = story.actions.iter().filter(|a| stopped(a)).filter_map(id);
    at.map(|i| story.snapshot.tasks[i].value.facts.id.0.as_str()).collect()
}

#[test]
fn the_scheduler_has_a_while_to_retire_workers_then_the_newest_are_stopped() {
    let mut story = lowered(2, false, &["a", "b", "c", "d"]);
    insta::assert_snapshot!(story.waiting(), @"the limit `workers` = 2 of user:alice was lowered; 4 are in use");
    assert_eq!((stopped(&story), story.due_at), (vec![], Some(story.now + Policy::default().retire_ms)));
    story.after(Policy::default().retire_ms - 1).round();
    assert!(stopped(&story).is_empty());
    story.after(1).round();
    assert_eq!(stopped(&story), ["c", "d"]);
    let why = story.snapshot.tasks[4].value.stopping.clone().unwrap();
    assert_eq!(
        (why.code, why.message),
        (ReasonCode::LimitLowered, "the limit `workers` = 2 of user:alice was lowered; 4 are in use".into())
    );
    story.ends("c", 143);
    assert!(story.cluster().shrink.is_some(), "what stops counts until it is gone");
    story.ends("d", 143);
    assert_eq!(story.cluster().shrink, None);
    insta::assert_snapshot!(story.waiting(), @"2 of 4 workers are running or on the way; 2 wait for room: the limit `workers` = 2 of user:alice is reached (2 in use)");
}

#[test]
fn what_the_scheduler_is_retiring_is_stopped_before_what_is_newer() {
    let mut story = lowered(2, false, &["a", "b", "c"]);
    story.heartbeat(2, &["b", "c"], &["a"], &[]);
    story.after(Policy::default().retire_ms).round();
    assert_eq!(stopped(&story), ["a"]);
}

#[test]
fn once_the_scheduler_has_retired_enough_nobody_is_stopped() {
    let mut story = lowered(1, false, &["a", "b"]);
    story.heartbeat(1, &["b"], &["a"], &[]).ends("a", 0);
    assert_eq!((story.cluster().shrink.clone(), story.waiting()), (None, String::new()));
    story.after(Policy::default().retire_ms).round();
    assert!(stopped(&story).is_empty() && story.due_at.is_none());
}

#[test]
fn a_worker_that_no_heartbeat_has_named_yet_may_hold_data_and_has_its_while_too() {
    let mut story = lowered(1, false, &["a", "b"]);
    story.snapshot.tasks.last_mut().unwrap().value.registered_at = None;
    story.round();
    assert!(stopped(&story).is_empty());
    story.after(Policy::default().retire_ms).round();
    assert_eq!(stopped(&story), ["b"]);
}

#[test]
fn while_a_limit_is_lowered_what_dies_is_replaced_only_up_to_what_may_stay() {
    let mut story = lowered(2, false, &["a", "b", "c"]);
    story.ends("c", 137);
    assert!(story.calls_nothing());
    assert_eq!(story.cluster().shrink, None);
}

#[test]
fn what_is_on_its_way_beyond_what_may_stay_is_given_up() {
    let mut story = Story::with_workers(&["a"]);
    story.snapshot.may_launch = false;
    story.heartbeat(4, &["a"], &[], &[]);
    assert_eq!(story.workers_charged(), 4, "a launch is written down, and not called yet");
    let reason = Reason::new(ReasonCode::LimitLowered, "lowered");
    story.snapshot.cluster.value.shrink = Some(Shrink { keep: 1, end: false, since: story.now, reason });
    story.round();
    assert_eq!(story.workers_charged(), 1);
    assert_eq!(story.waiting(), "lowered");
    story.round();
    assert_eq!(story.cluster().shrink, None);
}

#[test]
fn a_cluster_too_many_ends_with_that_reason() {
    let mut story = lowered(0, true, &["a"]);
    assert_eq!(
        (story.cluster().status, story.waiting()),
        (Status::Running, story.cluster().shrink.as_ref().unwrap().reason.message.clone())
    );
    story.after(Policy::default().retire_ms).round();
    assert_eq!(story.cluster().target, Status::Stopped);
    let why = story.cluster().reason.as_ref().unwrap();
    assert_eq!(why.code, ReasonCode::LimitLowered);
    insta::assert_snapshot!(why.message, @"the limit `workers` = 0 of user:alice was lowered; 1 are in use");
    assert_eq!(stopped(&story), ["a", "s"]);
}

#[test]
fn a_cluster_too_many_that_has_not_started_does_not_start() {
    let mut story = Story::new();
    let reason = Reason::new(ReasonCode::LimitLowered, "the limit `clusters` = 1 of default was lowered");
    story.snapshot.cluster.value.shrink = Some(Shrink { keep: 0, end: true, since: story.now, reason });
    assert!(story.round().calls_nothing());
    assert_eq!(story.waiting(), "the limit `clusters` = 1 of default was lowered");
    story.after(Policy::default().retire_ms).round();
    assert_eq!(story.cluster().status, Status::Stopped);
}
