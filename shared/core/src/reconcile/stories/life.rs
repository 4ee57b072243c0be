//! A cluster's beginning and end, and who finds it silent.

use super::*;
use crate::reconcile::enforce::{Silence, Silent, check, check_silence};

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
    assert!(!story.snapshot.heartbeat.value.accepting);
    story.ends("s", 143);
    assert_eq!((story.cluster().status, story.workers_charged()), (Status::Stopping, 1));
    // asked again until it is seen gone
    story.after(40_000).round();
    assert!(story.actions.contains(&Action::Stop(TaskId("a".into()))));
    story.ends("a", 143);
    assert_eq!(story.cluster().status, Status::Stopped);
    assert_eq!(story.snapshot.usage[0].value.counts, Counts::default());
    assert_eq!(story.actions, vec![Action::Unpublish, Action::Discard]);
    // a call of a caller that is gone may put route and credentials there again: once more, when none can land any more
    story.after(2 * Policy::default().max_call_ms).round();
    assert_eq!(story.actions, vec![Action::Unpublish, Action::Discard]);
    assert!(!story.cluster().active && story.due_at.is_none());
}

#[test]
fn silence_alone_fails_nobody_nor_do_unanswered_questions_before_a_busy_scheduler_had_its_time() {
    let mut cluster = Story::running().cluster().clone();
    let policy = Policy::default();
    let verdict = check(&cluster, None, &Effective::default(), 0, 100_000, &policy);
    let silent = verdict.silent_ms.expect("overdue");
    let unanswered = Err(crate::ports::SchedulerError::Unanswered("refused".into()));
    let relay = Err(crate::ports::SchedulerError::Relay("no relay".into()));
    let few = Silence { active: 1, silent: 1 };
    assert_eq!(check_silence(&cluster, silent, &Ok(crate::ports::Answer::Ok), few, &policy), Silent::Nothing);
    assert_eq!(check_silence(&cluster, silent, &relay, few, &policy), Silent::Nothing);
    assert_eq!(check_silence(&cluster, silent, &unanswered, few, &policy), Silent::Count(1));
    cluster.unanswered = 2;
    assert_eq!(check_silence(&cluster, silent, &unanswered, few, &policy), Silent::Count(3));
    let long = policy.scheduler_busy_timeout_ms;
    assert_eq!(check_silence(&cluster, long - 1, &unanswered, few, &policy), Silent::Count(3));
    assert!(matches!(check_silence(&cluster, long, &unanswered, few, &policy), Silent::End(_)));
    cluster.unanswered = 1;
    assert_eq!(
        check_silence(&cluster, long, &unanswered, few, &policy),
        Silent::Count(2),
        "three questions, however late"
    );
    cluster.unanswered = 3;
    assert_eq!(check_silence(&cluster, silent, &unanswered, few, &policy), Silent::Count(3), "nothing more is written");
    let many = Silence { active: 10, silent: 9 };
    // what was not answered while nobody could be heard is no evidence afterwards
    assert_eq!(check_silence(&cluster, silent, &unanswered, many, &policy), Silent::Count(1));
    cluster.unanswered = 1;
    assert_eq!(check_silence(&cluster, silent, &unanswered, many, &policy), Silent::Nothing);
}

#[test]
fn our_own_absence_is_nobodys_silence() {
    let cluster = Story::running().cluster().clone();
    let verdict = check(&cluster, None, &Effective::default(), 90_000, 100_000, &Policy::default());
    assert_eq!(verdict.silent_ms, None);
}
