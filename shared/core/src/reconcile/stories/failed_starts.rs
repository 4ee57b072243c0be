//! Starts that fail: of siblings, beside workers that have connected, and for want of permissions that are on their way.

use super::*;

/// Ends these workers unconnected, and lets that be checked.
fn fail(story: &mut Story, ids: &[&str], count: u32, active: &[&str]) {
    for id in ids {
        story.ends(id, 1);
    }
    story.after(6_000).heartbeat(count, active, &[], &[]);
}

#[test]
fn of_siblings_that_fail_their_launch_counts_once() {
    let mut story = Story::running();
    let launch = story.heartbeat(4, &[], &[], &[]).called();
    story.replies(&launch, &["a", "b", "c", "d"]);
    fail(&mut story, &["a", "b", "c"], 4, &[]);
    assert_eq!((story.cluster().target, story.cluster().worker_failures), (Status::Running, 1));
    let told = story.cluster().start_failure.clone().unwrap().message;
    assert!(told.starts_with("1 of 3 tries to start a worker failed"), "{told}");
    fail(&mut story, &["d"], 4, &[]);
    assert_eq!(story.cluster().worker_failures, 1, "a sibling that fails later is no other try");
}

#[test]
fn three_launches_that_fail_end_a_cluster_in_which_no_worker_has_connected() {
    let mut story = Story::running();
    for n in 0..3 {
        let launch = story.after(10_000).heartbeat(2, &[], &[], &[]).called();
        let ids = [format!("a{n}"), format!("b{n}")];
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        story.replies(&launch, &ids);
        assert_eq!(story.cluster().target, Status::Running);
        fail(&mut story, &ids, 2, &[]);
    }
    assert_eq!(story.cluster().target, Status::Failed);
    assert!(story.reason().starts_with("3 workers in a row failed to start"), "{}", story.reason());
}

#[test]
fn no_number_of_failed_starts_ends_a_cluster_in_which_a_worker_has_connected() {
    let mut story = Story::with_workers(&["healthy"]);
    for n in 0..6 {
        let launch = story.after(600_000).heartbeat(2, &["healthy"], &[], &[]).called();
        let id = format!("n{n}");
        story.replies(&launch, &[&id]);
        fail(&mut story, &[&id], 2, &["healthy"]);
        assert_eq!((story.cluster().target, story.cluster().worker_failures), (Status::Running, n + 1));
    }
    assert!(story.cluster().next_try.unwrap() > story.now + 20_000, "the more fail, the later the next");
    let told = story.cluster().start_failure.clone().unwrap().message;
    assert!(told.starts_with("6 tries in a row to start a worker failed, and it is tried again"), "{told}");
}

#[test]
fn a_worker_that_the_platform_failed_to_start_is_started_elsewhere_and_ever_later() {
    let mut story = Story::running();
    let mut waits = Vec::new();
    for n in 0..4 {
        let launch = story.after(600_000).heartbeat(1, &[], &[], &[]).called();
        let id = format!("n{n}");
        let mut facts = story.task(&launch, &id);
        (facts.started_at, facts.state, facts.stopped_at) = (None, TaskState::Stopped, Some(story.now));
        (facts.lost_to_platform, facts.stop_reason) = (true, Some("Timeout waiting for network interface".into()));
        story.says(&launch, Ok(Launched { tasks: vec![facts], shortfall: None }));
        assert_eq!((story.cluster().target, story.cluster().worker_failures), (Status::Running, 0));
        assert_eq!(story.waiting(), "a worker was not started: Timeout waiting for network interface");
        waits.push(story.cluster().next_try.unwrap() - story.now);
    }
    assert!(waits.is_sorted() && waits[3] > 2 * waits[0], "{waits:?}");
}

#[test]
fn a_launch_that_is_not_allowed_is_called_again_until_permissions_must_have_arrived() {
    let mut story = Story::new();
    (story.policy.permissions_ms, story.policy.launch_window_ms) = (120_000, 300_000);
    let launch = story.round().called();
    let denied = || Err(LaunchError::Denied("ECS was unable to assume the role".into()));
    story.says(&launch, denied());
    assert_eq!(story.cluster().waiting.as_ref().unwrap().code, ReasonCode::WaitingForPermissions);
    assert!(story.waiting().contains("unable to assume the role"), "{}", story.waiting());
    let again = story.after(60_000).round().called();
    assert_eq!(again.id, launch.id);
    story.says(&again, denied());
    assert_eq!(story.cluster().target, Status::Running);
    let last = story.after(60_000).round().called();
    story.says(&last, denied());
    assert_eq!(story.cluster().target, Status::Failed);
    assert_eq!(story.reason(), "the scheduler cannot be started: ECS was unable to assume the role");
}
