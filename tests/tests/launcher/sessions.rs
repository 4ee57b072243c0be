//! A task is its whole session, whatever happens to its parts.

use super::PROGRAM;
use faregate_core::model::{Launch, TaskFacts, TaskId, TaskRole, TaskState};
use faregate_core::ports::Launcher;
use faregate_tests::launcher_suite::local::{Local, NOBODY, kill};
use faregate_tests::launcher_suite::*;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::time::Duration;

/// One task that runs a shell script; it has come as far as to write `up`.
async fn running(local: &Local, script: &str) -> (Launch, TaskId) {
    let request = launch(&new_cluster(), 1, worker_spec(1, &["sh", "-c", script]), local.now());
    let task = started(local, &request).await.remove(0);
    until(local, "up", || async { local.log(&request, &task).contains("up").then_some(()) }).await;
    (request, task)
}

async fn rest(local: &Local, task: &TaskId) -> TaskFacts {
    let rest = reaches(local, task, TaskState::Stopped).await;
    assert_eq!(local.processes(), NOBODY, "at rest only when all of it is gone");
    rest
}

#[tokio::test]
async fn a_command_that_ends_on_sigint_gets_nothing_worse() {
    let local = Local::with(PROGRAM, |settings| settings.sigint_timeout = Duration::from_secs(100)).await;
    let script = "trap 'echo by INT; exit 5' INT; trap 'echo by TERM' TERM; echo up; while :; do sleep 0.01; done";
    let (request, task) = running(&local, script).await;
    local.launcher.stop(&task).await.unwrap();
    let rest = rest(&local, &task).await;
    assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (Some(5), Some("Stopped")));
    assert_eq!(local.log(&request, &task), "up\nby INT\n");
}

#[tokio::test]
async fn a_command_that_ignores_sigint_gets_sigterm() {
    let local = Local::with(PROGRAM, |settings| settings.sigterm_timeout = Duration::from_secs(100)).await;
    let (_, task) = running(&local, "trap '' INT; trap 'exit 6' TERM; echo up; while :; do sleep 0.01; done").await;
    local.launcher.stop(&task).await.unwrap();
    assert_eq!(rest(&local, &task).await.exit_code, Some(6));
}

#[tokio::test]
async fn processes_that_ignore_both_are_killed() {
    let local = Local::open(PROGRAM).await;
    let (_, task) =
        running(&local, "trap '' INT TERM; (while :; do sleep 1; done) & echo up; while :; do sleep 1; done").await;
    local.launcher.stop(&task).await.unwrap();
    let rest = rest(&local, &task).await;
    assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (Some(137), Some("Stopped")));
    assert!(rest.stop_reason.unwrap().contains("SIGKILL after SIGINT and SIGTERM"));
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_it_also_in_a_session_of_its_own() {
    let local = Local::open(PROGRAM).await;
    let script = "(trap '' TERM; sleep 100000) & setsid sh -c 'sleep 100000 & sleep 100000' & echo up; exit 4";
    let (_, task) = running(&local, script).await;
    let rest = rest(&local, &task).await;
    assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (Some(4), Some("Exited")));
}

#[tokio::test]
async fn stopping_reaches_grandchildren_also_in_a_session_of_their_own() {
    let local = Local::open(PROGRAM).await;
    let (_, task) = running(&local, "setsid sh -c 'trap \"\" TERM; sleep 100000' & sleep 100000 & echo up; wait").await;
    local.launcher.stop(&task).await.unwrap();
    assert_eq!(rest(&local, &task).await.stop_code.as_deref(), Some("Stopped"));
}

#[tokio::test]
async fn a_task_outlives_its_supervisor_and_can_still_be_stopped() {
    let local = Local::open(PROGRAM).await;
    let mut events = local.launcher.events();
    let (request, task) = running(&local, "trap '' INT TERM; echo up; while :; do sleep 1; done").await;
    assert_eq!(events.recv().await.unwrap().state, TaskState::Running);
    kill(local.supervisor(&request, &task), Signal::KILL);
    let alone = || async { (!local.processes().contains(&local.supervisor(&request, &task))).then_some(()) };
    until(&local, "the supervisor gone", alone).await;
    for _ in 0..5 {
        assert_eq!(described(&local, &task).await.unwrap().state, TaskState::Running);
        local.pause().await;
    }
    assert_eq!(started(&local, &request).await, std::slice::from_ref(&task), "nothing is started again");
    local.launcher.stop(&task).await.unwrap();
    let rest = rest(&local, &task).await;
    assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (None, Some("Lost")));
    assert_eq!(events.recv().await, Some(rest));
}

#[tokio::test]
async fn without_its_supervisor_a_task_is_still_all_of_its_processes() {
    let local = Local::open(PROGRAM).await;
    // Its parent ends, so that only its environment tells whose it is.
    let (request, task) = running(&local, "(setsid sh -c 'echo up; exec sleep 100000' &); exec sleep 100000").await;
    kill(local.supervisor(&request, &task), Signal::KILL);
    local.launcher.stop(&task).await.unwrap();
    assert_eq!(rest(&local, &task).await.stop_code.as_deref(), Some("Lost"));
}

#[tokio::test]
async fn a_supervisor_that_hangs_is_replaced_when_its_task_is_stopped() {
    let local = Local::open(PROGRAM).await;
    let (request, task) = running(&local, "echo up; exec sleep 100000").await;
    kill(local.supervisor(&request, &task), Signal::STOP);
    local.launcher.stop(&task).await.unwrap();
    assert_eq!(rest(&local, &task).await.stop_code.as_deref(), Some("Lost"));
}

#[tokio::test]
async fn a_hangup_is_no_reason_to_stop() {
    let local = Local::open(PROGRAM).await;
    let (request, task) = running(&local, "echo up; exec sleep 100000").await;
    kill(local.supervisor(&request, &task), Signal::HUP);
    for _ in 0..5 {
        local.pause().await;
        assert_eq!(described(&local, &task).await.unwrap().state, TaskState::Running);
    }
    stopped(&local, &[task]).await;
}

#[tokio::test]
async fn a_kill_that_nobody_asked_for_is_named_as_what_it_probably_was() {
    let local = Local::open(PROGRAM).await;
    let (_, task) = running(&local, "echo up; kill -9 $$").await;
    let rest = rest(&local, &task).await;
    assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (Some(137), Some("Killed")));
    assert!(rest.stop_reason.unwrap().contains("out of memory"));
    assert_eq!(rest.last_lines, ["up"]);
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_named() {
    let local = Local::open(PROGRAM).await;
    let request = launch(&new_cluster(), 1, worker_spec(2, &["no-such-program"]), local.now());
    for task in started(&local, &request).await {
        let rest = reaches(&local, &task, TaskState::Stopped).await;
        assert_eq!((rest.exit_code, rest.stop_code.as_deref()), (None, Some("StartFailed")));
        assert!(rest.stop_reason.unwrap().contains("`no-such-program`"));
    }
}

#[tokio::test]
async fn a_long_log_is_known_by_its_last_twenty_lines() {
    let local = Local::open(PROGRAM).await;
    let (_, task) = running(&local, "seq 1 50000; printf 'x%.0s' $(seq 900); echo; echo up").await;
    let lines = rest(&local, &task).await.last_lines;
    assert_eq!(lines.len(), 20);
    assert_eq!((lines[17].as_str(), lines[18].len(), lines[19].as_str()), ("50000", 500, "up"));
}

#[tokio::test]
async fn a_task_that_prints_without_end_takes_no_more_than_its_log_may_and_goes_on() {
    let local = Local::with(PROGRAM, |settings| (settings.log_bytes, settings.log_files) = (100_000, 3)).await;
    let script = "yes | head -c 30000000; echo at last > printed; echo up; exec sleep 100000";
    let (request, task) = running(&local, script).await;
    let dir = local.cluster_dir(&request).join("tasks").join(&task.0);
    let sizes = || ["log", "log.1", "log.2"].map(|name| std::fs::metadata(dir.join(name)).unwrap().len());
    assert!(sizes().iter().all(|size| *size <= 100_000), "{:?}", sizes());
    assert!(!dir.join("log.3").exists() && local.cluster_dir(&request).join("work/printed").exists());
    stopped(&local, &[task]).await;
}

#[tokio::test]
async fn whose_supervisor_was_killed_goes_on_printing() {
    let local = Local::with(PROGRAM, |settings| (settings.log_bytes, settings.log_files) = (100_000, 2)).await;
    let script = "echo up; until [ -e go ]; do sleep 0.01; done; seq 1 300000; echo done > printed; exec sleep 100000";
    let (request, task) = running(&local, script).await;
    kill(local.supervisor(&request, &task), Signal::KILL);
    let work = local.cluster_dir(&request).join("work");
    std::fs::write(work.join("go"), "").unwrap();
    until(&local, "everything printed", || async { work.join("printed").exists().then_some(()) }).await;
    until(&local, "the last line", || async { local.log(&request, &task).ends_with("300000\n").then_some(()) }).await;
    stopped(&local, &[task]).await;
}

#[tokio::test]
async fn a_scheduler_owns_the_ports_that_its_session_listens_on_and_no_others() {
    let local = Local::open(PROGRAM).await;
    let mut all = Vec::new();
    for role in [TaskRole::Scheduler, TaskRole::Scheduler, TaskRole::Worker] {
        // Not the command itself listens, but a child of it.
        let mut spec = worker_spec(1, &["sh", "-c", &format!("'{PROGRAM}' listen; true")]);
        spec.role = role;
        let request = launch(&new_cluster(), 1, spec, local.now());
        let task = started(&local, &request).await.remove(0);
        let written = || async { local.log(&request, &task).trim().strip_prefix("port=")?.parse::<u16>().ok() };
        let port = until(&local, "a port", written).await;
        all.push((task, SocketAddr::from(([127, 0, 0, 1], port))));
    }
    let owns = async |i: usize, j: usize| described(&local, &all[i].0).await.unwrap().owns(all[j].1);
    assert!(owns(0, 0).await && owns(1, 1).await);
    assert!(!owns(0, 1).await && !owns(1, 0).await && !owns(0, 2).await);
    assert!(!owns(2, 2).await, "nobody asks for a worker's ports");
    let tasks: Vec<TaskId> = all.into_iter().map(|(task, _)| task).collect();
    stopped(&local, &tasks).await;
}
