//! What is counted, derived from the records.

use super::*;

#[test]
fn a_charge_that_differs_from_the_records_is_put_right_by_the_next_round() {
    let mut story = Story::with_workers(&["a", "b"]);
    let wrong = Counts::CLUSTER + story.cluster().config.worker_unit() * 5;
    story.snapshot.cluster.value.reserved.counts = wrong;
    story.snapshot.usage[0].value.counts = wrong;
    story.round();
    let right = Counts::CLUSTER + story.cluster().config.worker_unit() * 2;
    assert_eq!((story.cluster().reserved.counts, story.snapshot.usage[0].value.counts), (right, right));
}

#[test]
fn a_task_of_an_accepted_launch_that_comes_late_is_counted_even_without_room_and_given_back() {
    let mut story = Story::running();
    story.snapshot.limits.workers = Some(LimitValue { value: 2, from: Scope::Default });
    let launch = story.heartbeat(2, &[], &[], &[]).called();
    let tasks = vec![story.task(&launch, "a")];
    story.says(&launch, Ok(Launched { tasks, shortfall: None }));
    let again = story.called();
    story.replies(&again, &["b"]);
    assert_eq!(story.workers_charged(), 2);
    let late = Task::new(story.cluster().name.clone(), story.task(&launch, "late"));
    story.snapshot.tasks.push(Stored { value: late, version: 1 });
    story.round();
    assert_eq!(story.workers_charged(), 3, "what is so is counted");
    story.ends("late", 0);
    assert_eq!(story.workers_charged(), 2);
}

#[test]
fn a_stray_is_never_charged_and_gives_nothing_back() {
    let mut story = Story::with_workers(&["a"]);
    let launch = story.snapshot.launches[1].value.clone();
    story.replies(&launch, &["stray"]);
    assert_eq!((story.workers_charged(), story.actions.clone()), (1, vec![Action::Stop(TaskId("stray".into()))]));
    story.ends("stray", 143);
    assert_eq!(story.workers_charged(), 1);
}

#[test]
fn a_view_whose_tasks_are_newer_than_its_cluster_is_not_saved() {
    let mut story = Story::with_workers(&["a"]);
    story.heartbeat(0, &["a"], &[], &[]);
    let old = story.snapshot.cluster.clone();
    story.ends("a", 0);
    assert!(story.snapshot.cluster.version > old.version);
    story.snapshot.cluster = old.clone();
    let plan = reconcile(&story.snapshot, &[], story.now, &story.policy);
    let expects = |write: &Write| match write {
        Write::Put { record: Record::Cluster(_), expect } => Some(*expect),
        _ => None,
    };
    assert!(plan.writes.iter().any(|write| matches!(write, Write::Count { .. })), "it would be given back twice");
    assert_eq!(plan.writes.iter().find_map(expects), Some(Expect::Version(old.version)), "but the store refuses it");
}
