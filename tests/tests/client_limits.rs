//! Limits, as users of the official client meet them: against the real gateway with real schedulers and workers, edited by an admin's
//! command while it serves. That a cluster with queued work and no workers outlives its idle timeout shows `client.rs`.
#![allow(clippy::unwrap_used)]

use faregate_cli::python::PythonEnv;
use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::{Server, binary, eventually, signal_scheduler};
use rustix::process::Signal;
use std::process::Command;

/// One cluster of each profile: one with a real scheduler, one whose scheduler never says anything.
const OPTIONS: &str = r#"
check_period = 0.5
sigint_timeout = 1
sigterm_timeout = 1

[[options]]
field = "tag"
type = "string"
default = "none"
target = "environment.TAG"

[[options]]
field = "profile"
type = "select"
default = "dask"
options = [
    { key = "dask", set = { scheduler_cmd = ["dask", "scheduler"] } },
    { key = "never", set = { scheduler_cmd = ["sh", "-c", "exec sleep 1000"] } },
]

[[options]]
field = "no_client_timeout"
type = "float"
default = 0

[[options]]
field = "lifetime"
type = "float"
default = 0
"#;

const REFUSALS: &str = r#"
retire_timeout = 1

[prices]
vcpu_hour = 36000

[limits."user:alice"]
clusters = 1
cluster_workers = 2
allowed = { tag = ["none", "silver"] }

[limits."user:frozen"]
frozen = "Please ask Carol about your project"

[limits."user:spender"]
budget = 1
"#;

#[test]
fn every_refusal_is_a_sentence_in_an_exception_or_warning_of_the_clients_own() {
    let (server, mut script) = start(REFUSALS, "refusals");
    let mut said = Said::default();
    for what in [
        "one cluster too many",
        "an option that is not allowed",
        "an option that there is not",
        "a frozen user",
        "too many workers",
        "an adaptive maximum over the limit",
        "stopped for its budget",
        "a budget that is spent",
    ] {
        said.hears(&mut script, what);
    }
    let daves = script.hears("waiting");
    admin(&server, &["stop", &daves, "--why", "the maintenance of dave's project"]);
    admin(&server, &["limits", "set", "user:eve", "clusters=0"]);
    admin(&server, &["freeze", "user:alice", "--why", "The project has ended"]);
    script.go_on();
    for what in [
        "dave waits",
        "ended",
        "eve waits",
        "ended",
        "alice computes",
        "ended",
        "scale after a freeze",
        "adapt after a freeze",
        "a cluster after a freeze",
        "a cluster where none is allowed",
    ] {
        said.hears(&mut script, what);
    }
    script.ends_well();
    insta::assert_snapshot!(said.text(), @r"
    one cluster too many: ValueError: the limit `clusters` = 1 of user:alice is reached: 1 in use by user:alice (a stopping cluster counts until it is at rest), so none fits; stop one and try again
    an option that is not allowed: ValueError: `tag` = `gold` is not allowed: the limit `allowed` of user:alice has `none`, `silver` for `tag`
    an option that there is not: ValueError: there is no option `colour`; the options are `tag`, `profile`, `no_client_timeout`, `lifetime`
    a frozen user: ValueError: user:frozen is frozen: Please ask Carol about your project
    too many workers: Scale request of 5 workers exceeds the limit `cluster_workers` = 2 of user:alice. Scaling to 2 instead.
    an adaptive maximum over the limit: Adapt with `maximum=9, minimum=3` workers exceeds the limit `cluster_workers` = 2 of user:alice. Using `maximum=2, minimum=2` instead.
    stopped for its budget: STOPPED, budget: the limit `budget` = 1 USD of user:spender is overspent: N USD used by user:spender in DATE; above 1.10 USD what runs is stopped
    a budget that is spent: ValueError: the limit `budget` = 1 USD of user:spender is spent: N USD used by user:spender in DATE; nothing new starts until the month ends, on DATE (UTC)
    dave waits: GatewayClusterError: Cluster 'NAME' is already stopped
    ended: STOPPED, admin-stopped: stopped by an administrator: the maintenance of dave's project
    eve waits: GatewayClusterError: Cluster 'NAME' is already stopped
    ended: STOPPED, limit-lowered: the limit `clusters` = 0 of user:eve was lowered and leaves no room for this cluster
    alice computes: FutureCancelledError: never-done
    ended: STOPPED, frozen: The project has ended
    scale after a freeze: ValueError: user:alice is frozen: The project has ended
    adapt after a freeze: ValueError: user:alice is frozen: The project has ended
    a cluster after a freeze: ValueError: user:alice is frozen: The project has ended
    a cluster where none is allowed: ValueError: the limit `clusters` = 0 of user:eve is reached: 0 in use by user:eve (a stopping cluster counts until it is at rest), none is ever allowed
    ");
    nothing_runs_but_the_gateway(&server);
}

const EDITS: &str = r#"
cluster_heartbeat_period = 1
cluster_heartbeat_timeout = 5
scheduler_busy_timeout = 15
lifetime_warning = 600
retire_timeout = 600
"#;

#[test]
fn an_edit_of_limits_reaches_what_runs_and_clusters_end_for_what_is_not_done() {
    let (server, mut script) = start(EDITS, "edits");
    let hung = script.hears("running");
    signal_scheduler(&hung, Signal::STOP);
    script.go_on();
    let mut said = Said::default();
    script.hears("on both workers");
    admin(&server, &["limits", "set", "user:alice", "workers=1"]);
    script.go_on();
    said.hears(&mut script, "fewer workers");
    script.hears("one left");
    admin(&server, &["limits", "unset", "user:alice", "workers"]);
    admin(&server, &["limits", "set", "user:alice", "max_lifetime=300"]);
    script.go_on();
    said.hears(&mut script, "a short life");
    said.hears(&mut script, "what was warned of");
    said.hears(&mut script, "too long a life");
    script.hears("short");
    admin(&server, &["limits", "set", "user:alice", "max_lifetime=7200"]);
    script.go_on();
    for what in ["still too long a life", "extended", "lonely", "hung"] {
        said.hears(&mut script, what);
    }
    script.ends_well();
    insta::assert_snapshot!(said.text(), @r"
    fewer workers: the limit `workers` = 1 of user:alice was lowered and leaves 1 of this cluster's 2 workers; the others are retired, and those that are left at DATE UTC are stopped
    a short life: this cluster ends at DATE UTC, when its longest lifetime of 300 s (`max_lifetime` of user:alice) is over; that limit allows no extension
    what was warned of: max-lifetime
    too long a life: ValueError: `seconds` = 1000 exceeds this cluster's longest lifetime of 300 s (`max_lifetime` of user:alice): it began at DATE UTC, so it lives until DATE UTC at most, and N s from now would fit
    still too long a life: ValueError: `seconds` = 100000 exceeds this cluster's longest lifetime of 7200 s (`max_lifetime` of user:alice): it began at DATE UTC, so it lives until DATE UTC at most, and N s from now would fit
    extended: its lifetime, extended by its owner
    lonely: STOPPED, no-client: no client was connected for N s; its timeout without clients is 2 s (`no_client_timeout`)
    hung: FAILED, heartbeat-timeout: no heartbeat for N s, and no answer to any question, although its process is stopped (SIGSTOP): `scheduler_busy_timeout` is 15 s
    ");
    nothing_runs_but_the_gateway(&server);
}

fn start(config: &str, script: &str) -> (Server, Script) {
    let python: PythonEnv = dask(DASK_VERSIONS[0]);
    let (settings, tables) = config.split_at(config.find("\n[").unwrap_or(config.len()));
    let server = Server::start_with(&format!("{settings}\n{OPTIONS}\n{tables}"), python.clone());
    let script = Script::start(&server, &python, script, &[]);
    (server, script)
}

/// What a script said, line by line.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn hears(&mut self, script: &mut Script, what: &str) {
        let rest = script.hears(&format!("{what}:"));
        self.0.push(format!("{what}: {rest}"));
    }

    fn text(&self) -> String {
        self.0.join("\n")
    }
}

/// An administrator's command, on the data directory of a gateway that runs.
fn admin(server: &Server, arguments: &[&str]) {
    let output = Command::new(binary()).arg("admin").args(arguments).arg("--data-dir").arg(&server.data_dir).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every scheduler, worker and supervisor is gone: only the gateway and its proxy are left.
fn nothing_runs_but_the_gateway(server: &Server) {
    eventually("only the gateway and its proxy are left", || server.processes().len() == 2);
}
