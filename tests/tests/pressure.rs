//! A gateway that few descriptors are left to, and one that another account of the machine knocks at. Needs to be run as root, as it
//! acts as another user.
#![allow(clippy::unwrap_used)]

use faregate_tests::server::{Server, eventually};
use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// `nobody`, by number.
const OTHER: u32 = 65_534;

fn address(server: &Server) -> SocketAddr {
    server.address.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap()
}

/// Status and body that a process of this user gets.
fn get_as(uid: u32, server: &Server, path: &str) -> (String, String) {
    assert!(geteuid().is_root(), "this test acts as another user: run it as root");
    let address = address(server);
    let request = format!("GET {path} HTTP/1.1\\r\\nhost: {address}\\r\\nconnection: close\\r\\n\\r\\n");
    let (ip, port) = (address.ip(), address.port());
    let program = format!("exec 3<>/dev/tcp/{ip}/{port} && printf '{request}' >&3 && cat <&3");
    let output = Command::new("bash").args(["-c", &program]).uid(uid).gid(uid).current_dir("/").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned())
}

#[test]
fn without_a_way_to_sign_in_another_account_of_the_machine_is_refused() {
    let server = Server::start("");
    assert_eq!(get_as(0, &server, "/api/health").0, "200");
    for path in ["/api/health", "/api/v1/clusters/"] {
        let (status, body) = get_as(OTHER, &server, path);
        assert_eq!(status, "403", "{body}");
        assert!(body.contains("only processes of the gateway's own user (id 0) and of root are let in"), "{body}");
    }
}

#[test]
fn by_peer_an_account_is_who_it_is() {
    let server = Server::start("[auth]\nmethods = [\"peer\"]\nadmins = [\"root\"]\n");
    for (uid, path, status) in [
        (0, "/api/v1/clusters/", "200"),
        (OTHER, "/api/v1/clusters/", "200"),
        (0, "/api/v1/admin/accounts", "200"),
        (OTHER, "/api/v1/admin/accounts", "403"),
        (4_000_000, "/api/v1/clusters/", "403"),
    ] {
        let (answered, body) = get_as(uid, &server, path);
        assert_eq!(answered, status, "{uid} {path}: {body}");
    }
}

#[test]
fn half_sent_requests_leave_the_gateway_answering_and_it_obeys_sigterm() {
    let mut server = Server::start_with_open_files(256, "");
    let proxy = server.proxy().unwrap();
    let half = b"POST /api/v1/clusters/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nA";
    let mut streams = Vec::new();
    for _ in 0..400 {
        let Ok(mut stream) = TcpStream::connect(address(&server)) else { continue };
        // those that are refused find their connection closed
        let _ = stream.write_all(half);
        streams.push(stream);
    }
    let internal = proxy.internal_address.unwrap();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(internal).unwrap();
        write!(stream, "GET /api/health HTTP/1.1\r\nHost: {internal}\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "schedulers are heard: {reply}");
    }
    assert_eq!(server.proxy(), Some(proxy), "it was not taken for ended");
    assert!(server.stop().success(), "{}", server.log());
    drop(streams);
    assert_eq!(server.processes(), []);
}

#[test]
fn a_gateway_without_a_descriptor_left_does_not_take_its_proxy_for_ended() {
    let mut server = Server::start("");
    let proxy = server.proxy().unwrap();
    let pid = Pid::from_raw(i32::try_from(server.pid).unwrap());
    // the hard limit stays: to raise it again may not be ours
    let before = getrlimit(Resource::Nofile);
    let none = Rlimit { current: Some(0), ..before };
    prlimit(pid, Resource::Nofile, none).unwrap();
    eventually("it says so", || server.log().contains("proxy watch failed"));
    assert_eq!(server.proxy().as_ref(), Some(&proxy));
    prlimit(pid, Resource::Nofile, before).unwrap();
    eventually("an answer", || server.get("/api/health").is_ok_and(|(status, _)| status == 200));
    assert_eq!(server.proxy(), Some(proxy));
    assert!(server.stop().success(), "{}", server.log());
}
