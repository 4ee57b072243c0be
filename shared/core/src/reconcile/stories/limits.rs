//! What users read when a limit keeps their workers from starting.

use super::*;

fn limit<T>(value: T, from: &str) -> Option<LimitValue<T>> {
    Some(LimitValue { value, from: Scope::try_from(from.to_owned()).unwrap() })
}

/// A user of the group `lab`, in which others have `others` workers, and who has workers and wants ten.
fn in_a_group(others: i64, set: impl FnOnce(&mut Effective)) -> Story {
    let mut story = Story::new();
    let group = Scope::Group("lab".into());
    story.snapshot.cluster.value.reserved.keys.push(group.clone());
    let unit = story.cluster().config.worker_unit();
    let counts = Counts::CLUSTER + unit * others;
    story.snapshot.usage.push(Stored { value: Usage { counts, ..Usage::none(group) }, version: 1 });
    set(&mut story.snapshot.limits);
    let launch = story.round().called();
    story.replies(&launch, &["s"]).heartbeat(10, &[], &[], &[]);
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    while let Some(Action::Launch(launch)) = story.actions.pop() {
        let ids = &ids[..launch.spec.count as usize];
        story.replies(&launch, ids).heartbeat(10, ids, &[], &[]);
    }
    story
}

#[test]
fn the_users_own_limit_says_what_is_in_use() {
    let mut story = in_a_group(0, |limits| limits.workers = limit(4, "user:alice"));
    insta::assert_snapshot!(story.waiting(), @"4 of 10 workers are running or on the way; 6 wait for room: the limit `workers` = 4 of user:alice is reached (4 in use)");
    assert_eq!(story.cluster().waiting.as_ref().unwrap().numbers["missing"], 6);
    story.snapshot.limits.workers = limit(6, "user:alice");
    assert_eq!(story.after(20_000).round().called().spec.count, 2, "they start when there is room");
}

#[test]
fn a_limit_by_default_or_of_a_group_says_whose_it_is_and_who_uses_it() {
    let story = in_a_group(0, |limits| limits.cores = limit(2.5, "default"));
    insta::assert_snapshot!(story.waiting(), @"2 of 10 workers are running or on the way; 8 wait for room: the limit `cores` = 2.5 of default leaves no room for a worker of 1 (2 in use by user:alice)");
    let story = in_a_group(0, |limits| limits.memory = limit(6 << 30, "group:lab"));
    insta::assert_snapshot!(story.waiting(), @"3 of 10 workers are running or on the way; 7 wait for room: the limit `memory` = 6 GiB of group:lab is reached (6 GiB in use by user:alice)");
}

#[test]
fn a_groups_total_counts_what_its_others_use() {
    let lab = Scope::Group("lab".into());
    let totals = Totals { workers: Some(5), ..Totals::default() };
    let story = in_a_group(4, |limits| limits.totals = BTreeMap::from([(lab, totals)]));
    insta::assert_snapshot!(story.waiting(), @"1 of 10 workers are running or on the way; 9 wait for room: the limit `total_workers` = 5 of group:lab is reached (5 in use)");
}

#[test]
fn a_limit_for_one_cluster_says_how_many_it_allows() {
    let mut story = in_a_group(0, |limits| limits.cluster_cores = limit(3.5, "default"));
    insta::assert_snapshot!(story.waiting(), @"3 of 10 workers are running or on the way; 7 wait: the limit `cluster_cores` = 3.5 of default allows it 3 (3 in use)");
    assert!(story.due_at.is_some(), "an admin may raise it");
    story.snapshot.limits.cluster_cores = limit(10.0, "default");
    assert_eq!(story.after(20_000).round().called().spec.count, 7);
}

#[test]
fn what_is_asked_beyond_the_clusters_own_options_is_said_and_not_awaited() {
    let mut story = Story::running();
    story.snapshot.cluster.value.config.cluster_max_workers = Some(1);
    let launch = story.heartbeat(2, &[], &[], &[]).called();
    story.replies(&launch, &["a"]).heartbeat(2, &["a"], &[], &[]);
    insta::assert_snapshot!(story.waiting(), @"1 of 2 workers are running or on the way; 1 waits: the limit `cluster_max_workers` = 1 of its options allows it 1 (1 in use)");
    assert_eq!(story.due_at, None);
}

#[test]
fn at_a_limit_nothing_is_written_until_it_is_time_to_look_again() {
    let mut story = in_a_group(0, |limits| limits.cluster_workers = limit(2, "default"));
    let due = story.due_at.unwrap();
    story.after(1_000);
    let plan = reconcile(&story.snapshot, &[], story.now, &story.policy);
    assert_eq!((plan.writes, plan.due_at), (vec![], Some(due)));
}

#[test]
fn for_a_frozen_user_nothing_new_starts_and_they_read_why() {
    let mut story = Story::with_workers(&["a"]);
    story.snapshot.limits.frozen = limit("ask the accounting desk".into(), "user:alice");
    story.heartbeat(3, &["a"], &[], &[]);
    assert!(story.calls_nothing() && story.due_at.is_some());
    insta::assert_snapshot!(story.waiting(), @"ask the accounting desk");
    story.snapshot.limits.frozen = None;
    assert_eq!(story.after(20_000).round().called().spec.count, 2);

    let mut new = Story::new();
    new.snapshot.limits.frozen = limit("ask the accounting desk".into(), "default");
    assert!(new.round().calls_nothing() && new.due_at.is_some());
    assert_eq!(new.cluster().waiting.as_ref().map(|why| why.code), Some(ReasonCode::Frozen));
}

#[test]
fn with_a_spent_budget_nothing_new_starts_and_what_runs_stays() {
    let mut story = Story::with_workers(&["a"]);
    story.snapshot.spent = Some(Reason::new(ReasonCode::Budget, "the limit `budget` = 5 USD of user:alice is spent"));
    story.heartbeat(3, &["a"], &[], &[]);
    assert!(story.calls_nothing() && story.due_at.is_some());
    insta::assert_snapshot!(story.waiting(), @"the limit `budget` = 5 USD of user:alice is spent");
    assert!(story.snapshot.tasks.iter().all(|task| task.value.stopping.is_none()));
}

#[test]
fn the_most_workers_there_can_ever_be_is_the_tightest_of_all_limits() {
    let story = Story::new();
    let allowed =
        |limits: &Effective| allowed_workers(story.cluster(), limits).map(|(max, limit)| format!("{max}: {limit}"));
    let mut limits = Effective::default();
    assert_eq!(allowed(&limits), None);
    limits.cores = limit(8.5, "default");
    insta::assert_snapshot!(allowed(&limits).unwrap(), @"8: `cores` = 8.5 of default");
    limits.cluster_memory = limit(10 << 30, "group:lab");
    insta::assert_snapshot!(allowed(&limits).unwrap(), @"5: `cluster_memory` = 10 GiB of group:lab");
    limits.workers = limit(0, "user:alice");
    insta::assert_snapshot!(allowed(&limits).unwrap(), @"0: `workers` = 0 of user:alice");
}
