//! Places, Spot, and tasks that lose what they were given.

use super::*;

#[test]
fn without_spot_capacity_workers_start_on_demand_at_once_and_spot_is_tried_again_later() {
    let mut story = Story::running();
    story.snapshot.cluster.value.config.fargate_spot = true;
    let launch = story.heartbeat(2, &[], &[], &[]).called();
    assert!(launch.spec.fargate.spot);
    story.says(&launch, Err(LaunchError::NoCapacity("no Spot".into())));
    let again = story.called();
    assert!(!again.spec.fargate.spot, "on demand, and no pause before it");
    assert_eq!(
        again.spec.fargate.place, launch.spec.fargate.place,
        "it was Spot's capacity that ran out, not the place's"
    );
    story.replies(&again, &["a", "b"]).heartbeat(2, &["a", "b"], &[], &[]);
    let later = story.after(Policy::default().spot_retry_ms).heartbeat(3, &["a", "b"], &[], &[]).called();
    assert!(later.spec.fargate.spot);
}

#[test]
fn the_scheduler_is_never_on_spot() {
    let mut story = Story::new();
    story.snapshot.cluster.value.config.fargate_spot = true;
    assert!(!story.round().called().spec.fargate.spot);
}

#[test]
fn without_capacity_the_next_launch_is_in_the_next_place_after_a_pause() {
    let mut story = Story::running();
    let launch = story.heartbeat(2, &[], &[], &[]).called();
    story.says(&launch, Err(LaunchError::NoCapacity("RESOURCE:MEMORY".into())));
    assert!(story.calls_nothing());
    let again = story.after(10_000).round().called();
    assert_eq!(again.spec.fargate.place, launch.spec.fargate.place + 1);
}

#[test]
fn a_worker_that_loses_its_place_before_it_connects_is_no_failed_start() {
    let mut story = Story::running();
    for n in 0..5 {
        let launch = story.after(60_000).heartbeat(1, &[], &[], &[]).called();
        let id = format!("w{n}");
        let mut facts = story.task(&launch, &id);
        story.says(&launch, Ok(Launched { tasks: vec![facts.clone()], shortfall: None }));
        facts.version = 9;
        facts.state = TaskState::Stopped;
        facts.stopped_at = Some(story.now);
        facts.stop_reason = Some("the subnet has no free address left".into());
        facts.lost_to_platform = true;
        let task = facts.id.clone();
        story.observations.push(Observation::Described { task, at: story.now, facts: Some(facts) });
        story.round();
        assert_eq!((story.cluster().status, story.cluster().worker_failures), (Status::Running, 0));
        assert_eq!(story.waiting(), "a worker lost its place: the subnet has no free address left");
        assert_eq!(story.cluster().place, n + 1, "the next one is tried elsewhere");
    }
}

#[test]
fn a_refusal_after_throttled_calls_gives_the_charge_back_at_once() {
    let mut story = Story::running();
    let launch = story.heartbeat(2, &[], &[], &[]).called();
    story.says(&launch, Err(LaunchError::Throttled));
    let again = story.after(10_000).round().called();
    assert_eq!((again.id.clone(), again.calls), (launch.id, 2), "the same launch again");
    story.says(&again, Err(LaunchError::NoCapacity("RESOURCE:MEMORY".into())));
    assert_eq!(story.workers_charged(), 0, "what is throttled has started nothing");
}

#[test]
fn what_is_throttled_comes_back_soon_at_first_and_then_less_and_less_often() {
    let mut story = Story::running();
    story.policy.worker_start_timeout_ms = 600_000;
    story.policy.launch_window_ms = 300_000;
    let mut launch = story.heartbeat(2, &[], &[], &[]).called();
    for least in [500, 1_000, 2_000, 4_000, 4_000] {
        story.says(&launch, Err(LaunchError::Throttled)).after(least - 1).round();
        assert!(story.calls_nothing(), "not before {least} ms");
        launch = story.after(least + 1).round().called();
    }
    assert_eq!((launch.calls, launch.throttled), (6, 5));
}
