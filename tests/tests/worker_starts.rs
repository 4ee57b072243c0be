//! Workers that fail or are slow to start, with real schedulers: the official repository's tests of them (`tests/test_db_backend.py`),
//! as facts about this gateway.
//!
//! The scheduler's heartbeats are a quarter of an hour apart, where nothing else is said: who waits for one never gets to the end of the test.
#![allow(clippy::unwrap_used)]

use faregate_cli::python::PythonEnv;
use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::{Server, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const RARE_HEARTBEATS: &str = "cluster_heartbeat_period = 900\ncluster_heartbeat_timeout = 1800\n";

/// Tells of its start in `starts`, and goes on as `mode` says.
const WORKER: &str = r#"#!/bin/sh
dir=$(dirname "$0")
echo started >>"$dir/starts"
case $(cat "$dir/mode") in
good) exec dask worker "$@" ;;
late) sleep 3600 && exec dask worker "$@" ;;
fails) echo "it finds no libraries" >&2 && exit 3 ;;
esac
"#;

/// A gateway whose workers do as they are told, and a user who wants one.
struct OneWorker {
    server: Server,
    script: Script,
    name: String,
    dir: TempDir,
}

impl OneWorker {
    fn start(mode: &str, config: &str) -> OneWorker {
        let dir = tempfile::tempdir().unwrap();
        let (worker, starts) = (dir.path().join("worker.sh"), dir.path().join("starts"));
        std::fs::write(&worker, WORKER).and_then(|()| std::fs::write(&starts, "")).unwrap();
        // tasks run under a uid of their own
        for (path, mode) in [(dir.path(), 0o755), (&worker, 0o755), (&starts, 0o666)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        OneWorker::with_command(mode, config, &worker, dir)
    }

    fn with_command(mode: &str, config: &str, worker: &Path, dir: TempDir) -> OneWorker {
        std::fs::write(dir.path().join("mode"), mode).unwrap();
        let python: PythonEnv = dask(DASK_VERSIONS[0]);
        let server = Server::start_with(&format!("worker_cmd = [{worker:?}]\n{config}"), python.clone());
        let mut script = Script::start(&server, &python, "one_worker", &[]);
        let name = script.hears("wants one");
        OneWorker { server, script, name, dir }
    }

    fn set_mode(&self, mode: &str) {
        // as a whole, whenever it is read
        let (new, file) = (self.dir.path().join("mode.new"), self.dir.path().join("mode"));
        std::fs::write(&new, mode).and_then(|()| std::fs::rename(new, file)).unwrap();
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("starts")).unwrap_or_default().lines().count()
    }

    fn explain(&mut self) -> Value {
        self.script.says("explain");
        serde_json::from_str(&self.script.hears("explained")).unwrap()
    }

    /// Until the cluster has failed: with this sentence.
    fn fails_with(&mut self, sentence: &str) {
        let mut last = Value::Null;
        for _ in 0..1200 {
            last = self.explain();
            if last["status"] == "FAILED" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert_eq!(last["status"], "FAILED", "{last}\n{}", self.server.log());
        assert_eq!(last["reason"]["message"], sentence, "{last}");
        eventually("only the gateway and its proxy are left", || self.server.processes().len() == 2);
    }

    /// A result, by the worker of this name.
    fn computes(&mut self) -> String {
        self.script.says("compute");
        let said = self.script.hears("computed");
        said.strip_prefix("1024 ").unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn tasks(&self) -> Vec<PathBuf> {
        let dir = self.server.data_dir.join("clusters").join(&self.name).join("tasks");
        dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn ends_well(mut self) {
        self.script.says("end");
        self.script.ends_well();
    }
}

#[test]
fn workers_that_cannot_be_started_fail_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().join("nothing-here");
    let mut user = OneWorker::with_command("", RARE_HEARTBEATS, &nothing, dir);
    user.fails_with(&format!(
        "3 workers in a row failed to start; the last: a worker ended before it connected: \
         `{}` could not be started: No such file or directory (os error 2)",
        nothing.display()
    ));
    user.ends_well();
}

#[test]
fn workers_that_end_between_start_and_connection_are_judged_at_once_and_the_third_fails_the_cluster() {
    let mut user = OneWorker::start("fails", RARE_HEARTBEATS);
    user.fails_with(
        "3 workers in a row failed to start; the last: a worker ended before it connected: exited with code 3: it finds no libraries",
    );
    assert_eq!(user.starts(), 3);
    user.ends_well();
}

#[test]
fn a_single_failure_is_made_good_by_the_next_worker() {
    let mut user = OneWorker::start("fails", RARE_HEARTBEATS);
    eventually("one has failed", || user.starts() >= 1);
    user.set_mode("good");
    user.computes();
    let starts = user.starts();
    assert!((2..=3).contains(&starts), "{starts}");
    assert_eq!(user.explain()["status"], "RUNNING");
    user.ends_well();
}

#[test]
fn workers_that_are_too_slow_to_connect_are_stopped() {
    // nobody is late before the scheduler has spoken again
    let mut user = OneWorker::start("late", "cluster_heartbeat_period = 0.5\nworker_start_timeout = 1\n");
    user.fails_with("3 workers in a row failed to start; the last: the worker did not connect within 1 s");
    assert_eq!(user.starts(), 3);
    user.ends_well();
}

#[test]
fn a_worker_that_ends_after_it_connected_is_replaced_and_is_no_failed_start() {
    let mut user = OneWorker::start("good", &format!("{RARE_HEARTBEATS}worker_start_failure_limit = 1\n"));
    let first = user.computes();
    assert_eq!(user.tasks().len(), 2, "a scheduler and a worker");
    kill(&format!("FAREGATE_TASK_ID={}", first.strip_prefix("w-").unwrap()));
    eventually("it was replaced", || user.starts() == 2);
    let mut second = user.computes();
    while second == first {
        second = user.computes();
    }
    assert_eq!((user.explain()["status"].clone(), user.tasks().len()), ("RUNNING".into(), 3));
    user.ends_well();
}

/// SIGKILL to the worker and its nanny.
fn kill(mark: &str) {
    let mut killed = 0;
    for entry in Path::new("/proc").read_dir().unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().parse().unwrap();
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            killed += 1;
        }
    }
    assert!(killed >= 2, "{mark}");
}
