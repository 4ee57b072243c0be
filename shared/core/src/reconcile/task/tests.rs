//! Every event in every stage, and what time makes of a worker.

use super::*;
use crate::model::{ClusterName, LaunchId, TaskId, UserKey};
use Stage::{Connected, Ended, Restarting, Retiring, Settled, Starting, Stopping};
use std::collections::BTreeSet;

const NOW: Ms = 1_000_000;
const STAGES: [Stage; 7] = [Starting, Connected, Retiring, Restarting, Stopping, Ended, Settled];

fn facts(state: TaskState, version: u64) -> TaskFacts {
    TaskFacts {
        id: TaskId("t1".into()),
        launch: LaunchId("l1".into()),
        role: TaskRole::Worker,
        version,
        state,
        accepted_at: 1_000,
        pulled_at: None,
        started_at: None,
        stopped_at: None,
        stop_code: None,
        stop_reason: None,
        exit_code: None,
        lost_to_platform: false,
        capacity: None,
        address: None,
        ports: None,
        last_lines: vec![],
    }
}

/// What a scheduler says of the worker: active, closing, closed.
fn content(set: usize) -> Content {
    let mut sets = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    sets[set].insert("w-t1".to_owned());
    let [active, closing, closed] = sets;
    Content { active, closing, closed, ..Content::default() }
}

fn at(stage: Stage) -> Task {
    let name = ClusterName::mint(&UserKey::from_digest(&[7; 6]), 1_000, 1);
    let mut task = Task::new(name, facts(TaskState::Running, 1));
    let policy = Policy::default();
    match stage {
        Starting => {}
        Connected => task.apply_heartbeat(&content(0), NOW, &policy),
        Retiring => task.apply_heartbeat(&content(1), NOW, &policy),
        Restarting => task.apply_heartbeat(&content(2), NOW, &policy),
        Stopping => task.request_stop(Reason::new(ReasonCode::NotWanted, "test"), NOW),
        Ended => assert!(task.apply_facts(&facts(TaskState::Stopped, 2), NOW)),
        Settled => {
            assert!(task.apply_facts(&facts(TaskState::Stopped, 2), NOW));
            task.settle(NOW, NOW);
        }
    }
    assert_eq!(task.stage(), stage);
    task
}

#[test]
fn facts_of_an_earlier_version_are_not_taken_whatever_they_say() {
    let mut task = at(Starting);
    assert!(!task.apply_facts(&facts(TaskState::Stopped, 0), NOW));
    assert!(task.apply_facts(&facts(TaskState::Stopped, 1), NOW), "of the same version the later state");
}

#[test]
fn what_a_task_wrote_last_is_kept_as_it_can_be_shown() {
    let with = |line: &str, version| TaskFacts { last_lines: vec![line.into()], ..facts(TaskState::Stopped, version) };
    let mut task = Task::new(at(Starting).cluster, with("a\u{1b}[2Jb", 1));
    assert_eq!(task.facts.last_lines, ["a [2Jb"]);
    assert!(task.apply_facts(&with("c\u{202e}d", 2), NOW));
    assert_eq!(task.facts.last_lines, ["c d"]);
}

#[test]
fn a_heartbeat_changes_nothing_of_a_worker_at_rest_that_had_connected() {
    let mut task = at(Connected);
    assert!(task.apply_facts(&facts(TaskState::Stopped, 2), NOW));
    task.settle(NOW, NOW);
    let before = task.clone();
    task.apply_heartbeat(&content(1), NOW + 5, &Policy::default());
    assert_eq!(task, before);
}

#[test]
fn while_its_scheduler_is_busy_a_late_worker_is_looked_at_a_heartbeat_later() {
    let policy = Policy::default();
    let now = NOW + policy.worker_start_timeout_ms;
    let mut rules = WorkerRules { now, policy: &policy, heard_at: now, is_busy: true, steady_since: 0, may_ask: false };
    let again = Some(now + policy.heartbeat_period_ms);
    assert_eq!(at(Starting).check(false, &rules), Check::Fine { again });
    // an end that nobody can be asked about is judged by the heartbeat after it
    rules.heard_at = 0;
    let mut ended = at(Ended);
    ended.facts.stopped_at = Some(NOW);
    assert_eq!(ended.check(false, &rules), Check::Fine { again });
}

#[test]
fn a_worker_that_has_not_connected_is_looked_at_as_soon_as_it_is_late() {
    let policy = Policy::default();
    let rules =
        WorkerRules { now: NOW, policy: &policy, heard_at: NOW, is_busy: false, steady_since: NOW, may_ask: false };
    let again = Some(NOW + policy.worker_start_timeout_ms + 1);
    assert_eq!(at(Starting).check(false, &rules), Check::Fine { again });
}

#[test]
fn every_event_leads_every_stage_where_the_diagram_says() {
    let policy = Policy::default();
    type Change<'a> = &'a dyn Fn(&mut Task);
    let table: [(&str, Change, [Stage; 7]); 7] = [
        (
            "active",
            &|t| t.apply_heartbeat(&content(0), NOW, &policy),
            [Connected, Connected, Connected, Connected, Stopping, Ended, Settled],
        ),
        (
            "closing",
            &|t| t.apply_heartbeat(&content(1), NOW, &policy),
            [Retiring, Retiring, Retiring, Retiring, Stopping, Ended, Settled],
        ),
        (
            "closed",
            &|t| t.apply_heartbeat(&content(2), NOW, &policy),
            [Restarting, Restarting, Retiring, Restarting, Stopping, Ended, Settled],
        ),
        (
            "told to stop",
            &|t| t.request_stop(Reason::new(ReasonCode::NotWanted, "test"), NOW),
            [Stopping, Stopping, Stopping, Stopping, Stopping, Ended, Settled],
        ),
        (
            "seen at rest",
            &|t| _ = t.apply_facts(&facts(TaskState::Stopped, 3), NOW),
            [Ended, Ended, Ended, Ended, Ended, Ended, Settled],
        ),
        (
            "seen running",
            &|t| _ = t.apply_facts(&facts(TaskState::Running, 3), NOW),
            [Starting, Connected, Retiring, Restarting, Stopping, Ended, Settled],
        ),
        (
            "not known, twice",
            &|t| (0..2).for_each(|_| t.apply_description(None, NOW, NOW, &policy)),
            [Ended, Ended, Ended, Ended, Ended, Ended, Settled],
        ),
    ];
    for (event, change, stages) in table {
        let after = STAGES.map(|stage| {
            let mut task = at(stage);
            change(&mut task);
            task.stage()
        });
        assert_eq!(after, stages, "{event}");
    }
}

#[test]
fn a_task_that_is_not_known_once_may_still_run() {
    let mut task = at(Connected);
    task.apply_description(None, NOW, NOW, &Policy::default());
    assert!(task.may_run());
    // and one that may not be seen yet is not counted as missing
    let mut young = at(Connected);
    (0..3).for_each(|_| young.apply_description(None, young.facts.accepted_at, NOW, &Policy::default()));
    assert!(young.may_run());
}

#[test]
fn a_task_is_told_to_stop_once_for_its_first_reason_and_never_after_its_end() {
    let reason = |code| Reason::new(code, "test");
    let mut task = at(Stopping);
    task.request_stop(reason(ReasonCode::WorkerLost), NOW + 5);
    assert_eq!((task.stopping.as_ref(), task.next_stop), (Some(&reason(ReasonCode::NotWanted)), Some(NOW)));
    let mut ended = at(Ended);
    ended.request_stop(reason(ReasonCode::WorkerLost), NOW + 5);
    assert_eq!((ended.stopping, ended.next_stop), (None, None));
}

#[test]
fn a_task_at_rest_is_settled_once_it_is_known_under_which_launch_it_was_reserved_for() {
    let worker = at(Ended);
    assert!(!worker.may_settle(None), "its launch is not known");
    let orphan = Task { orphan: true, ..worker.clone() };
    let mut scheduler = worker.clone();
    scheduler.facts.role = TaskRole::Scheduler;
    assert!(orphan.may_settle(None) && scheduler.may_settle(None));
    for task in [orphan, scheduler] {
        assert!(!Task { settled: true, ..task }.may_settle(None), "once");
    }
}

#[test]
fn a_worker_that_never_connected_is_late_at_once_and_one_that_was_closed_when_it_is_heard_again() {
    let policy = Policy::default();
    let now = NOW + policy.worker_start_timeout_ms + 1;
    let rules = WorkerRules { now, policy: &policy, heard_at: now, is_busy: false, steady_since: NOW, may_ask: false };
    let code = |task: &Task, rules: &WorkerRules| match task.check(false, rules) {
        Check::Late { code, .. } => Some(code),
        Check::Confirm => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&at(Starting), &rules), Some(ReasonCode::WorkerStartTimeout));
    let mut closed = at(Restarting);
    assert_eq!(code(&closed, &rules), None, "one heartbeat alone says so");
    closed.late_at = Some(now - 1);
    assert_eq!(code(&closed, &rules), Some(ReasonCode::WorkerLost));
}

#[test]
fn a_failed_start_is_counted_and_what_may_still_run_is_looked_at_again() {
    let [mut ended, mut starting] = [at(Ended), at(Starting)].map(|task| Task { check_at: Some(NOW), ..task });
    ended.count_failed_start();
    starting.count_failed_start();
    assert_eq!((ended.failed_start, ended.check_at), (true, None));
    assert_eq!((starting.failed_start, starting.check_at), (true, Some(NOW)));
}
