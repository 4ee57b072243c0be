//! A whole session at the most talkative level, over a rotation of the keys: what is secret is in no log, and in no record as it is.
#![allow(clippy::unwrap_used)]

use faregate_core::model::ClusterName;
use faregate_keys::{KeyRing, Use};
use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::secrets::Secrets;
use faregate_tests::server::{Server, eventually};
use std::path::{Path, PathBuf};

const CONFIG: &str = r#"
stop_clusters_on_shutdown = false
dashboard_sign_in = true
[auth]
methods = ["tokens", "basic"]
"#;

const PASSWORD: &str = "correct horse battery staple";

/// Every file below a directory that is not SQLite's, cluster files (which only their owner reads) apart.
fn texts(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// The ring, as it is in its file.
fn ring(server: &Server) -> KeyRing {
    serde_json::from_str(&std::fs::read_to_string(server.data_dir.join("keys.json")).unwrap()).unwrap()
}

/// Nothing secret in any log, nor as it is in any record.
fn hidden(server: &Server, secrets: &Secrets) {
    let mut files = Vec::new();
    texts(&server.data_dir, &mut files);
    let logs = files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "log"));
    let records = files.iter().filter(|(path, _)| path.to_string_lossy().contains("store.sqlite"));
    let (logs, records): (Vec<_>, Vec<_>) = (logs.collect(), records.collect());
    assert!(!logs.is_empty() && !records.is_empty(), "{files:?}");
    for (path, text) in logs.into_iter().chain(records) {
        assert_eq!(secrets.within(text), [""; 0], "{}", path.display());
    }
    let log = server.log();
    assert!(log.contains("TRACE"), "the gateway logs everything");
    assert_eq!(secrets.within(&log), [""; 0], "the gateway's log");
}

#[test]
fn a_sessions_secrets_are_in_no_log_and_a_new_key_cuts_nobody_off() {
    let python = dask(DASK_VERSIONS[0]);
    let mut server = Server::start_logging("trace", CONFIG, python.clone());
    server.admin(&["users", "add", "alice"], &format!("{PASSWORD}\n"));
    let mut script = Script::start_with(&server, &python, "hidden", &[], &[("FAREGATE_PASSWORD", Path::new(PASSWORD))]);
    let mut secrets = Secrets::default();
    secrets.add("the password", PASSWORD);
    for what in ["token", "session", "dashboard"] {
        secrets.add(format!("the {what}"), &script.hears(what));
    }
    secrets.add("the cluster's private key", &script.hears("key").replace("|", "\n"));
    let cluster: ClusterName = script.hears("cluster").parse().unwrap();
    let before = ring(&server);
    let mut of_ring = |ring: &KeyRing, name: &ClusterName| {
        for purpose in [Use::Cluster, Use::Dashboard] {
            let token = ring.token(&ring.newest().id, purpose, name).unwrap();
            secrets.add(format!("{purpose:?} of {name}"), token.split_once('-').unwrap().1);
        }
        let keys = serde_json::to_value(ring).unwrap();
        for key in keys["keys"].as_array().unwrap() {
            secrets.add(format!("key {}", key["id"]), key["secret"].as_str().unwrap());
        }
    };
    of_ring(&before, &cluster);

    // a new key, in the middle of it all
    assert!(server.admin(&["keys", "rotate", "--why", "a test"], "").contains("k2"));
    server.kill9();
    server.restart();
    let after = ring(&server);
    assert_eq!(after.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["k2", "k1"]);
    script.go_on();
    let second: ClusterName = script.hears("another").parse().unwrap();
    of_ring(&after, &second);
    script.ends_well();
    eventually("only the gateway and its proxy are left", || server.processes().len() == 2);
    assert!(server.admin(&["audit"], "").contains("rotate-keys"));
    hidden(&server, &secrets);
}
