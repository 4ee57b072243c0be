//! The machine's clock is set, back and forward, while clusters run: nothing waits until it has caught up, nobody ends for it.
//! With libfaketime around the real gateway; schedulers and workers have the true time.
#![allow(clippy::unwrap_used)]

use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::{Server, eventually};

const CONFIG: &str = r#"
check_period = 0.5
sigint_timeout = 1
sigterm_timeout = 1
cluster_heartbeat_period = 1
stop_clusters_on_shutdown = false

[[options]]
field = "idle_timeout"
type = "float"
default = 0

[[options]]
field = "lifetime"
type = "float"
default = 0
"#;

/// The clock is set while the gateway runs, and again while it does not.
fn the_clock_is_set(to: &str, by_s: &str, then: &str) {
    let python = dask(DASK_VERSIONS[0]);
    let mut server = Server::start_with_clock(CONFIG, python.clone());
    let mut script = Script::start(&server, &python, "clocks", &[by_s]);
    script.hears("one worker");
    server.set_clock(to);
    eventually("the gateway notices", || server.log().contains("system clock set"));
    script.go_on();
    script.hears("nothing ended");
    server.stop();
    server.set_clock(then);
    server.restart();
    script.go_on();
    script.ends_well();
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    the_clock_is_set("-10m", "-600", "-20m");
}

#[test]
fn a_clock_that_is_set_forward_ends_nothing() {
    the_clock_is_set("+1h", "3600", "+65m");
}
