//! A launcher comes after another one.

use super::PROGRAM;
use super::crashes::Victim;
use faregate_core::model::{Launch, TaskId, TaskState};
use faregate_core::ports::Launcher;
use faregate_tests::launcher_suite::local::{Local, NOBODY, kill};
use faregate_tests::launcher_suite::*;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// A launcher of which nothing is left but the tasks that it launched, all of them running.
async fn a_killed_launcher(local: &Local, command: &[&str]) -> (Launch, Vec<TaskId>) {
    let request = launch(&new_cluster(), 1, worker_spec(2, command), local.now());
    let mut victim = Victim::launching(local, &[PROGRAM, "task"], &request);
    victim.says("open");
    victim.says("launched");
    victim.dies();
    let record: Value = serde_json::from_slice(&fs::read(local.record(&request)).unwrap()).unwrap();
    let tasks = record["tasks"].as_object().unwrap().keys().map(|id| TaskId(id.clone())).collect();
    (request, tasks)
}

fn change_record(local: &Local, request: &Launch, change: impl FnOnce(&mut Value)) {
    let mut record: Value = serde_json::from_slice(&fs::read(local.record(request)).unwrap()).unwrap();
    change(&mut record);
    fs::write(local.record(request), record.to_string()).unwrap();
}

#[tokio::test]
async fn what_runs_is_adopted_and_its_end_is_announced() {
    let mut local = Local::open(PROGRAM).await;
    let (request, tasks) = a_killed_launcher(&local, &["sleep", "100000"]).await;
    local.reopen().await;
    let mut events = local.launcher.events();
    assert_eq!(ids(&listed(&local).await), tasks);
    assert_eq!(ids(&local.launcher.list_launch(&request.id).await.unwrap()), tasks);
    assert_eq!(started(&local, &request).await, tasks);
    let facts = described(&local, &tasks[0]).await.unwrap();
    assert_eq!(facts.state, TaskState::Running);
    local.launcher.stop(&tasks[0]).await.unwrap();
    let end = events.recv().await.unwrap();
    assert_eq!((&end.id, end.state, end.stop_code.as_deref()), (&tasks[0], TaskState::Stopped, Some("Stopped")));
    assert_eq!((end.accepted_at, end.started_at), (facts.accepted_at, facts.started_at));
    stopped(&local, &tasks).await;
    assert_eq!(events.recv().await.unwrap().id, tasks[1]);
}

#[tokio::test]
async fn an_exit_code_is_known_although_no_launcher_was_there_to_see_it() {
    let mut local = Local::open(PROGRAM).await;
    let command = ["sh", "-c", "until [ -e end ]; do sleep 0.01; done; echo so it ends; exit 7"];
    let (request, tasks) = a_killed_launcher(&local, &command).await;
    fs::write(local.cluster_dir(&request).join("work/end"), "").unwrap();
    until(&local, "no process left", || async { local.processes().is_empty().then_some(()) }).await;
    local.reopen().await;
    for task in &tasks {
        let facts = described(&local, task).await.unwrap();
        assert_eq!((facts.exit_code, facts.stop_code.as_deref()), (Some(7), Some("Exited")));
        assert_eq!(facts.last_lines, ["so it ends"]);
    }
    assert_eq!(started(&local, &request).await, tasks);
    assert_eq!(local.processes(), NOBODY);
}

#[tokio::test]
async fn a_stop_is_seen_through_although_the_launcher_that_asked_for_it_is_gone() {
    let mut local = Local::open(PROGRAM).await;
    let stubborn = ["sh", "-c", "trap '' INT TERM; echo up; while :; do sleep 1; done"];
    let request = launch(&new_cluster(), 1, worker_spec(1, &stubborn), local.now());
    let tasks = started(&local, &request).await;
    until(&local, "up", || async { local.log(&request, &tasks[0]).contains("up").then_some(()) }).await;
    local.launcher.stop(&tasks[0]).await.unwrap();
    local.reopen().await;
    let rest = reaches(&local, &tasks[0], TaskState::Stopped).await;
    assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (Some(137), Some("Stopped")));
}

#[tokio::test]
async fn a_process_that_got_the_id_of_a_task_is_not_taken_for_it_nor_stopped() {
    let mut local = Local::open(PROGRAM).await;
    let (request, tasks) = a_killed_launcher(&local, &["sleep", "100000"]).await;
    local.processes().into_iter().for_each(|pid| kill(pid, Signal::KILL));
    until(&local, "no process left", || async { local.processes().is_empty().then_some(()) }).await;
    let mut innocent = Command::new("sleep").arg("100000").spawn().unwrap();
    change_record(&local, &request, |record| record["tasks"][&tasks[0].0]["pid"] = json!(innocent.id()));
    local.reopen().await;
    let facts = described(&local, &tasks[0]).await.unwrap();
    assert_eq!((facts.state, facts.stop_code.as_deref(), facts.exit_code), (TaskState::Stopped, Some("Lost"), None));
    local.launcher.stop(&tasks[0]).await.unwrap();
    assert_eq!(innocent.try_wait().unwrap(), None);
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

#[tokio::test]
async fn after_a_restart_of_the_machine_whatever_ran_is_lost_and_says_so() {
    let mut local = Local::open(PROGRAM).await;
    let (request, tasks) = a_killed_launcher(&local, &["sleep", "100000"]).await;
    // Of another boot, so that these processes, as far as the record goes, are strangers.
    change_record(&local, &request, |record| record["boot"] = json!("the one before"));
    local.reopen().await;
    for task in &tasks {
        let facts = described(&local, task).await.unwrap();
        assert_eq!((facts.state, facts.stop_code.as_deref()), (TaskState::Stopped, Some("Lost")));
        assert!(facts.stop_reason.unwrap().contains("restarted"));
    }
    assert_eq!(listed(&local).await, []);
}

#[tokio::test]
async fn every_start_and_every_end_is_announced_once_to_everyone() {
    let local = Local::open(PROGRAM).await;
    let (mut here, mut there) = (local.launcher.events(), local.launcher.events());
    let tasks = started(&local, &launch(&new_cluster(), 1, local.spec(3, Runs::ForEver), local.now())).await;
    stopped(&local, &tasks).await;
    for events in [&mut here, &mut there] {
        let mut seen = Vec::new();
        while seen.len() < 6 {
            let facts = events.recv().await.unwrap();
            seen.push((facts.state, facts.id));
        }
        seen.sort();
        let running = tasks.iter().map(|task| (TaskState::Running, task.clone()));
        let expected: Vec<_> = running.chain(tasks.iter().map(|task| (TaskState::Stopped, task.clone()))).collect();
        assert_eq!(seen, expected);
        assert!(events.try_recv().is_err());
    }
}
