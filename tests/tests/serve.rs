//! The process `faregate serve`: its start, its proxy, its end.
#![allow(clippy::unwrap_used)]

use faregate_tests::server::{Server, eventually};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

const VERSION: (u16, &str) = (200, concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}"));

fn answers(server: &Server) -> bool {
    server.get("/api/version").is_ok_and(|(status, body)| (status, body.as_str()) == VERSION)
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn told_to_stop_it_leaves_nothing_running() {
    let mut server = Server::start("");
    assert!(answers(&server));
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn logs_that_nobody_reads_any_more_end_nothing() {
    let mut server = Server::start("");
    assert!(server.stop().success());
    let logs = [server.dir().join("gateway.log"), server.data_dir.join("proxy.log")];
    let readers = logs.each_ref().map(|log| {
        std::fs::remove_file(log).unwrap();
        mknodat(CWD, log, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(log).unwrap()
    });
    server.restart();
    drop(readers);
    for log in logs {
        std::fs::remove_file(log).unwrap();
    }
    assert!(answers(&server));
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn a_second_gateway_on_the_same_data_directory_is_refused() {
    let server = Server::start("");
    let output = server.another("127.0.0.1:0");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("another gateway (process {}) is using the data directory", server.pid)), "{said}");
    assert!(answers(&server));
}

#[test]
fn an_address_that_others_reach_needs_a_password() {
    let mut server = Server::start("");
    server.stop();
    let output = server.another("0.0.0.0:0");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no way to sign in"), "{said}");
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let mut server = Server::start("");
    server.stop();
    server.configure("\nidle_timout = 5");
    let output = server.another("127.0.0.1:0");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("faregate.toml:2: `idle_timout` is not known; did you mean `idle_timeout`?"), "{said}");
}

#[test]
fn a_proxy_that_was_killed_is_back_at_the_same_addresses() {
    let server = Server::start("");
    let before = server.proxy().unwrap();
    kill(before.pid);
    eventually("another proxy", || server.proxy().is_some_and(|now| now.pid != before.pid));
    let now = server.proxy().unwrap();
    assert_eq!((now.address, now.internal_address), (before.address, before.internal_address));
    eventually("an answer", || answers(&server));
}

#[test]
fn a_killed_gateway_takes_its_proxy_over_when_it_is_started_again() {
    let mut server = Server::start("");
    let (address, proxy) = (server.address.clone(), server.proxy().unwrap());
    server.kill9();
    assert_eq!(server.proxy().as_ref(), Some(&proxy));
    server.restart();
    assert_eq!((&server.address, server.proxy()), (&address, Some(proxy)));
    assert!(answers(&server));
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn schedulers_find_the_api_where_it_was_also_when_gateway_and_proxy_were_killed() {
    let mut server = Server::start("");
    let before = server.proxy().unwrap();
    server.kill9();
    kill(before.pid);
    server.restart();
    eventually("another proxy", || server.proxy().is_some_and(|now| now.pid != before.pid));
    assert_eq!(server.proxy().unwrap().internal_address, before.internal_address);
}

#[test]
fn as_configured_the_proxy_stays_when_the_gateway_is_told_to_stop() {
    let mut server = Server::start("stop_clusters_on_shutdown = false");
    let proxy = server.proxy().unwrap();
    assert!(server.stop().success());
    assert_eq!(server.proxy(), Some(proxy.clone()));
    server.restart();
    assert_eq!(server.proxy(), Some(proxy));
}

#[test]
fn another_configuration_of_the_proxy_restarts_it_and_says_so() {
    let mut server = Server::start("");
    let before = server.proxy().unwrap();
    server.kill9();
    server.configure("prefix = \"/gateway\"");
    server.restart();
    assert_ne!(server.proxy().unwrap().pid, before.pid);
    assert!(server.log().contains("proxy restarted: its configuration has changed"), "{}", server.log());
    assert!(server.address.ends_with("/gateway"), "{}", server.address);
    let (status, _) = server.get("/gateway/api/version").unwrap();
    assert_eq!(status, 200);
}
