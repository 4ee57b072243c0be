//! The official client, end to end, against the real gateway with real schedulers and workers.
#![allow(clippy::unwrap_used)]

use faregate_cli::python::PythonEnv;
use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::{Server, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};

const OPTIONS: &str = r#"
cluster_max_workers = 3

[[options]]
field = "worker_cores"
type = "int"
default = 1
min = 1
max = 2

[[options]]
field = "tag"
type = "string"
default = "none"
target = "environment.TAG"
"#;

/// The session's client runs the same dask as its cluster.
fn session(config: &str, python: PythonEnv, proxy: impl Fn(&Server) -> String) {
    let server = Server::start_with(&format!("{config}\n{OPTIONS}"), python.clone());
    let script = Script::start(&server, &python, "session", &[&proxy(&server)]);
    script.ends_well();
    nothing_runs_but_the_gateway(&server);
}

/// Every scheduler, worker and supervisor is gone: only the gateway and its proxy are left.
fn nothing_runs_but_the_gateway(server: &Server) {
    eventually("only the gateway and its proxy are left", || server.processes().len() == 2);
}

fn own_address(_: &Server) -> String {
    "-".to_owned()
}

#[test]
fn a_whole_session_with_the_official_pin_of_dask() {
    session("", dask(DASK_VERSIONS[0]), own_address);
}

#[test]
fn a_whole_session_with_a_later_dask() {
    session("", dask(DASK_VERSIONS[1]), own_address);
}

#[test]
fn a_whole_session_under_a_prefix_with_the_relay_on_a_port_of_its_own() {
    let config = "prefix = \"/services/dask-gateway\"\nproxy_address = \"127.0.0.1:0\"";
    session(config, dask(DASK_VERSIONS[0]), |server| {
        assert!(server.address.ends_with("/services/dask-gateway"), "{}", server.address);
        format!("gateway://{}", server.proxy().unwrap().relay_address.unwrap())
    });
}

#[test]
fn a_killed_gateway_is_nobodys_loss() {
    let python = dask(DASK_VERSIONS[0]);
    let mut server = Server::start_with("", python.clone());
    let mut script = Script::start(&server, &python, "crash", &[]);
    let names: Vec<String> = script.hears("blocked").split(' ').map(str::to_owned).collect();
    let before: Vec<Vec<PathBuf>> = names.iter().map(|name| tasks(&server, name)).collect();
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2], "a scheduler and a worker each");
    server.kill9();
    script.go_on();
    script.hears("results came through");
    server.restart();
    for (name, before) in names.iter().zip(&before) {
        assert_eq!(tasks(&server, name), *before, "nothing is started twice");
    }
    script.go_on();
    script.hears("scaled");
    assert_eq!(names.iter().map(|name| tasks(&server, name).len()).collect::<Vec<_>>(), [3, 2]);
    script.go_on();
    script.ends_well();
    nothing_runs_but_the_gateway(&server);
}

#[test]
fn workers_that_restart_are_not_replaced_and_one_that_is_killed_is_replaced_once() {
    let python = dask(DASK_VERSIONS[0]);
    let server = Server::start_with("worker_memory = \"400 M\"", python.clone());
    let mut script = Script::start(&server, &python, "restarts", &[]);
    let cluster = script.hears("two workers of");
    let before = tasks(&server, &cluster);
    let workers = script.hears("survived");
    assert_eq!(tasks(&server, &cluster), before, "no task was replaced");
    let victim = workers.split(' ').next().unwrap().strip_prefix("w-").unwrap();
    kill_session(&server, &cluster, victim);
    script.go_on();
    script.hears("replaced");
    assert_eq!(tasks(&server, &cluster).len(), before.len() + 1, "replaced once");
    script.go_on();
    script.ends_well();
    nothing_runs_but_the_gateway(&server);
}

#[test]
fn a_retirement_longer_than_the_heartbeat_timeout_fails_nobody() {
    let python = dask(DASK_VERSIONS[0]);
    let config = "cluster_heartbeat_period = 1\ncluster_heartbeat_timeout = 4";
    let server = Server::start_with(config, python.clone());
    Script::start(&server, &python, "retirement", &[]).ends_well();
}

#[test]
fn an_idle_cluster_ends_and_one_with_work_does_not() {
    let python = dask(DASK_VERSIONS[1]);
    let server = Server::start_with("idle_timeout = 4", python.clone());
    Script::start(&server, &python, "idle", &[]).ends_well();
}

/// The directories of a cluster's tasks: one for each that was ever started.
fn tasks(server: &Server, cluster: &str) -> Vec<PathBuf> {
    let dir = server.data_dir.join("clusters").join(cluster).join("tasks");
    let mut tasks: Vec<PathBuf> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    tasks.sort();
    tasks
}

/// SIGKILL to all that a task runs, its supervisor apart: a worker and its nanny.
fn kill_session(server: &Server, cluster: &str, task: &str) {
    let id = format!("FAREGATE_TASK_ID={task}");
    let mut killed = 0;
    for entry in Path::new("/proc").read_dir().unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|b| *b == 0).any(|variable| variable == id.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().parse().unwrap();
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            killed += 1;
        }
    }
    assert!(killed >= 2, "a worker and its nanny, of {cluster} in {}", server.data_dir.display());
}
