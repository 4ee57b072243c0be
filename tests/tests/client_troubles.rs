//! What a user of the official client reads, and keeps, while something goes wrong: real schedulers that are busy or stopped, real workers
//! that fail to start, files that grow over their limit.
#![allow(clippy::unwrap_used)]

use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::{Server, signal_scheduler};
use rustix::process::Signal;

const CONFIG: &str = r#"
check_period = 0.5
sigint_timeout = 1
sigterm_timeout = 1
cluster_heartbeat_period = 1
cluster_heartbeat_timeout = 3
cluster_max_disk = "52 MiB"

[[options]]
field = "profile"
type = "select"
default = "dask"
options = [
    { key = "dask", set = { worker_cmd = ["dask", "worker"] } },
    { key = "broken", set = { worker_cmd = ["sh", "-c", "echo no such licence >&2; exit 3"] } },
    { key = "broken late", set = { worker_cmd = ["sh", "-c", "sleep 2; echo no such licence >&2; exit 3"] } },
]

[[options]]
field = "idle_timeout"
type = "float"
default = 0
"#;

#[test]
fn a_busy_scheduler_is_no_dead_one_and_what_goes_wrong_is_told_at_once() {
    let python = dask(DASK_VERSIONS[0]);
    let server = Server::start_with(CONFIG, python.clone());
    let mut script = Script::start(&server, &python, "troubles", &[]);
    let cluster = script.hears("running");
    script.go_on();
    let mut said = vec![("busy", script.hears("busy:"))];
    script.hears("hold");
    signal_scheduler(&cluster, Signal::STOP);
    script.go_on();
    said.push(("stopped", script.hears("stopped:")));
    script.hears("continue");
    signal_scheduler(&cluster, Signal::CONT);
    script.go_on();
    for what in ["a worker that fails", "three tries", "not idle", "files", "too many files"] {
        said.push((what, script.hears(&format!("{what}:"))));
    }
    script.ends_well();
    let parts = [
        "has not answered for N s; its process runs and computes;",
        "has not answered for N s; its process is stopped (SIGSTOP);",
        "1 of 3 tries to start a worker failed; the last: a worker ended before it connected",
        "FAILED, worker-start-failed: 3 workers in a row failed to start",
        "FAILED, worker-start-failed: ",
        "take more than four fifths of the 52 MiB that `cluster_max_disk` allows",
        "FAILED, disk-limit: the cluster's files in the gateway's data directory take ",
    ];
    for ((what, text), part) in said.iter().zip(parts) {
        assert!(text.contains(part), "{what}: {text}");
    }
    assert!(said[2].1.contains("no such licence"), "the last line of its log: {}", said[2].1);
}
