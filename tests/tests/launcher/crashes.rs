//! The launching process is killed: nothing runs that is not on record, and nothing runs twice.

use super::PROGRAM;
use faregate_core::model::{Launch, TaskState};
use faregate_tests::launcher_suite::local::{Local, NOBODY};
use faregate_tests::launcher_suite::{Fixture, launch, new_cluster, reaches, started, stopped, until, worker_spec};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A launcher in a process of its own, to be killed.
pub struct Victim {
    child: Child,
    words: BufReader<ChildStdout>,
}

impl Victim {
    /// It opens the same directory and makes this launch.
    pub fn launching(local: &Local, supervisor: &[&str], launch: &Launch) -> Victim {
        let supervisor = serde_json::to_string(supervisor).unwrap();
        let launch = serde_json::to_string(launch).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("launch").arg(local.dir.path()).args([supervisor, launch]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let words = BufReader::new(child.stdout.take().unwrap());
        Victim { child, words }
    }

    /// Waits until it has come so far.
    pub fn says(&mut self, word: &str) {
        let mut line = String::new();
        self.words.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word);
    }

    /// `kill -9`.
    pub fn dies(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Every task of it leaves its id in a file, once for each time it runs.
fn request(local: &Local, count: u32) -> Launch {
    let command = ["sh", "-c", "echo $FAREGATE_TASK_ID >> ran; exec sleep 100000"];
    launch(&new_cluster(), 1, worker_spec(count, &command), local.now())
}

fn ran(local: &Local, request: &Launch) -> Vec<String> {
    let text = fs::read_to_string(local.cluster_dir(request).join("work/ran")).unwrap_or_default();
    let mut ran: Vec<String> = text.lines().map(str::to_owned).collect();
    ran.sort();
    ran
}

/// The launch is made again by the launcher that lives: it comes to its `count` tasks, and each has run once.
async fn is_completed(local: &Local, request: &Launch) {
    let tasks = started(local, request).await;
    assert_eq!(tasks.len() as u32, request.spec.count);
    for task in &tasks {
        reaches(local, task, TaskState::Running).await;
    }
    let expected: Vec<String> = tasks.iter().map(|task| task.0.clone()).collect();
    until(local, "as many runs as tasks", || async { (ran(local, request).len() >= expected.len()).then_some(()) })
        .await;
    stopped(local, &tasks).await;
    assert_eq!(ran(local, request), expected);
}

#[tokio::test]
async fn nothing_runs_before_it_is_on_record() {
    let local = Local::open(PROGRAM).await;
    let look =
        "[ -e ../tasks/$FAREGATE_TASK_ID/started.json ] && grep -q $FAREGATE_TASK_ID ../launches/* && echo on record";
    let request = launch(&new_cluster(), 1, worker_spec(3, &["sh", "-c", look]), local.now());
    for task in started(&local, &request).await {
        assert_eq!(reaches(&local, &task, TaskState::Stopped).await.last_lines, ["on record"]);
    }
}

#[tokio::test]
async fn killed_before_its_orders_are_obeyed_it_leaves_a_launch_that_waits_to_see_what_becomes_of_them() {
    let local = Local::open(PROGRAM).await;
    let request = request(&local, 3);
    let gate = local.dir.path().join("gate");
    // Says that it is ready, gets its order, and takes its time.
    let slow =
        format!("echo ready; until [ -e '{}' ]; do sleep 0.01; done; exec '{PROGRAM}' task \"$0\"", gate.display());
    let mut victim = Victim::launching(&local, &["sh", "-c", &slow], &request);
    victim.says("open");
    until(&local, "the record", || async { local.record(&request).exists().then_some(()) }).await;
    victim.dies();
    let open_the_gate = async {
        for _ in 0..10 {
            local.pause().await;
        }
        fs::write(&gate, "").unwrap();
    };
    tokio::join!(is_completed(&local, &request), open_the_gate);
    assert_eq!(local.processes(), NOBODY, "no supervisor that was not waited for");
}

#[tokio::test]
async fn killed_before_the_record_is_written_it_leaves_no_process_and_the_launch_can_be_made_again() {
    let local = Local::open(PROGRAM).await;
    let request = request(&local, 3);
    let dir = local.dir.path().to_str().unwrap();
    let gated = format!("until [ -e '{dir}/gate' ]; do sleep 0.01; done; exec '{PROGRAM}' task \"$0\"");
    let mut victim = Victim::launching(&local, &["sh", "-c", &gated], &request);
    victim.says("open");
    let waiting = || async { (local.processes().len() >= 4).then_some(()) };
    until(&local, "the launcher, and three supervisors at the gate", waiting).await;
    victim.dies();
    fs::write(local.dir.path().join("gate"), "").unwrap();
    until(&local, "no process left", || async { local.processes().is_empty().then_some(()) }).await;
    assert!(!local.record(&request).exists());
    assert_eq!(ran(&local, &request), [""; 0]);
    is_completed(&local, &request).await;
}

#[tokio::test]
async fn killed_at_any_moment_of_a_launch_it_leaves_one_that_can_be_completed_and_runs_nothing_twice() {
    let local = Local::open(PROGRAM).await;
    for step in 0..20 {
        let request = request(&local, 4);
        let mut victim = Victim::launching(&local, &[PROGRAM, "task"], &request);
        victim.says("open");
        std::thread::sleep(Duration::from_micros(step * 750));
        victim.dies();
        is_completed(&local, &request).await;
    }
    assert_eq!(local.processes(), NOBODY);
}

#[tokio::test]
async fn a_supervisor_that_cannot_be_started_is_no_launch_and_leaves_no_other_behind() {
    let local = Local::with(PROGRAM, |settings| {
        // Every second one fails.
        let odd = format!("case $0 in *[02468ace]) exit 1;; esac; exec '{PROGRAM}' task \"$0\"");
        settings.supervisor = ["sh".to_owned(), "-c".to_owned(), odd].map(Into::into).to_vec();
    })
    .await;
    let request = request(&local, 10);
    let refused = local.launcher().launch(&request, local.now()).await.unwrap_err();
    assert!(refused.to_string().contains("supervisor"), "{refused}");
    assert_eq!(local.processes(), NOBODY);
    assert_eq!(ran(&local, &request), [""; 0]);
    assert_eq!(local.launcher().list_launch(&request.id).await.unwrap(), []);
}
