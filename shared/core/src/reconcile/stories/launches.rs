//! Launches: written down, called, lost, refused, given up.

use super::*;

#[test]
fn a_launch_is_written_down_and_counted_before_it_is_called() {
    let mut story = Story::new();
    let launch = story.round().called();
    assert_eq!(story.actions[0], Action::Prepare(launch.id.clone()));
    assert_eq!((launch.calls, launch.spec.role), (1, TaskRole::Scheduler));
    assert_eq!(story.snapshot.launches[0].value, launch);
}

#[test]
fn a_lost_reply_is_asked_for_again_with_the_same_launch() {
    let mut story = Story::new();
    let first = story.round().called();
    story.says(&first, Err(LaunchError::Unknown("reset".into())));
    assert!(story.calls_nothing());
    let again = story.after(10_000).round().called();
    assert_eq!((again.id, again.calls), (first.id, 2));
}

#[test]
fn a_refusal_after_a_lost_reply_frees_nothing_until_late_calls_have_landed() {
    let mut story = Story::running();
    let launch = story.heartbeat(3, &[], &[], &[]).called();
    story.says(&launch, Err(LaunchError::Unknown("reset".into())));
    let again = story.after(10_000).round().called();
    story.says(&again, Err(LaunchError::NoCapacity("none".into())));
    assert_eq!(story.snapshot.launches[1].value.state, LaunchState::Cancelled);
    assert_eq!(story.workers_charged(), 3);
    // the first call lands after all: its tasks are stopped, and given back once they are gone
    let tasks = ["a", "b", "c"].map(|id| story.task(&launch, id)).to_vec();
    story.observations.push(Observation::Listed { launch: launch.id.clone(), at: story.now, tasks });
    story.round();
    assert_eq!(story.actions.iter().filter(|a| matches!(a, Action::Stop(_))).count(), 3);
}

#[test]
fn a_sole_refusal_gives_the_charge_back_and_waits_with_a_reason() {
    let mut story = Story::running();
    let launch = story.heartbeat(3, &[], &[], &[]).called();
    assert_eq!(story.workers_charged(), 3);
    story.says(&launch, Err(LaunchError::NoCapacity("RESOURCE:MEMORY".into())));
    assert_eq!(story.workers_charged(), 0);
    assert_eq!(story.waiting(), "no capacity: RESOURCE:MEMORY");
    assert!(story.due_at.is_some_and(|at| at > story.now));
    story.after(10_000).round().called();
}

#[test]
fn ten_workers_are_one_call_and_twelve_are_two() {
    let mut story = Story::running();
    let launch = story.heartbeat(12, &[], &[], &[]).called();
    assert_eq!(launch.spec.count, 10);
    let ids: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    story.replies(&launch, &ids);
    assert_eq!(story.called().spec.count, 2);
    assert_eq!(story.workers_charged(), 12);
}

#[test]
fn what_has_no_room_waits_with_the_limits_name_and_starts_when_there_is_room() {
    let mut story = Story::running();
    story.snapshot.limits.workers = Some(LimitValue { value: 2, from: Scope::Default });
    story.snapshot.usage[0].value.counts.workers = 2;
    story.heartbeat(1, &[], &[], &[]);
    assert!(story.calls_nothing());
    insta::assert_snapshot!(story.waiting(), @"0 of 1 workers are running or on the way; 1 waits for room: the limit `workers` = 2 of default is reached (2 in use by user:alice)");
    assert!(story.due_at.is_some());
    story.snapshot.usage[0].value.counts.workers = 0;
    assert_eq!(story.after(20_000).round().called().spec.count, 1);
}

/// Every launch that is called now; all of their tasks are accepted. Their sizes, and the tasks.
fn launches_at_once(story: &mut Story) -> (Vec<u32>, Vec<String>) {
    let (mut counts, mut all) = (Vec::new(), Vec::new());
    while !story.calls_nothing() {
        let launch = story.called();
        let ids: Vec<String> = (0..launch.spec.count).map(|n| format!("{}-{n}", launch.id)).collect();
        counts.push(launch.spec.count);
        story.replies(&launch, &ids.iter().map(String::as_str).collect::<Vec<_>>());
        all.extend(ids);
    }
    (counts, all)
}

#[test]
fn two_hundred_workers_are_twenty_calls_at_fargates_rate() {
    let mut story = Story::running();
    story.policy = Policy::fargate();
    story.after(60_000).heartbeat(200, &[], &[], &[]);
    let (begun, mut calls, mut workers) = (story.now, Vec::new(), Vec::new());
    while workers.len() < 200 {
        let (counts, ids) = launches_at_once(&mut story);
        calls.extend(counts.into_iter().map(|count| (story.now - begun, count)));
        workers.extend(ids);
        if workers.len() < 200 {
            story.now = story.due_at.expect("more are wanted");
            story.round();
        }
    }
    let at_once = [(0, 10); 9];
    let paced: Vec<(Ms, u32)> = (1..=11).map(|n| (n * 500, 10)).collect();
    assert_eq!(calls, [&at_once[..], &paced].concat());
    assert_eq!(story.workers_charged(), 200);

    let names: Vec<&str> = workers.iter().map(String::as_str).collect();
    story.heartbeat(200, &names, &[], &[]);
    // a transaction holds some sixty of them
    while story.due_at == Some(story.now) {
        story.round();
    }
    story.after(3_600_000).heartbeat(400, &names, &[], &[]);
    assert_eq!(launches_at_once(&mut story).0, [10; 9], "an hour's rest allows no more at once");
}
