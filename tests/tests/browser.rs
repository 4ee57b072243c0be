//! Dashboards in a real Chromium, against a real gateway with real schedulers. Without Chromium these tests fail.
#![allow(clippy::unwrap_used)]

use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::Server;
use std::path::Path;

/// The dashboard works, and a hostile one gets nothing of an admin who looks at it.
fn a_visit(mode: &str, config: &str) {
    let python = dask(DASK_VERSIONS[0]);
    let config = format!("{config}\n[auth]\nmethods = [\"basic\"]\nadmins = [\"root\"]\n");
    let server = Server::start_with(&config, python.clone());
    for user in ["root", "mallory"] {
        server.admin(&["users", "add", user], "of everybody\n");
    }
    let environment = [("FAREGATE_PASSWORD", Path::new("of everybody"))];
    let mut script = Script::start_with(&server, &python, "browser", &[mode], &environment);
    for host in ["127.0.0.1:", "gateway.test:"] {
        assert!(script.hears("works").starts_with(host));
        assert!(script.hears("safe").starts_with(host));
    }
    script.ends_well();
}

#[test]
fn a_dashboard_whose_link_has_a_key_works_and_a_hostile_one_gets_nothing() {
    a_visit("key", "");
}

#[test]
fn a_dashboard_by_sign_in_works_and_a_hostile_one_gets_nothing() {
    a_visit("sign-in", "dashboard_sign_in = true");
}
