//! The front door refuses what API Gateway refuses.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::front_door::FrontDoor;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The status of the answer; none when the connection ends without one.
fn ask(door: &FrontDoor, head: &str, body: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(door.url.strip_prefix("http://").unwrap()).unwrap();
    let length = body.len();
    write!(stream, "{head}Host: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").unwrap();
    // whoever refuses need not read it
    let _ = stream.write_all(body);
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).unwrap().parse().ok()
}

#[test]
fn headers_and_bodies_have_api_gateways_limits() {
    let door = FrontDoor::start();
    let headers = |size: usize| format!("GET /a HTTP/1.1\r\nX: {}\r\n", "x".repeat(size));
    assert_eq!(ask(&door, &headers(10_000), b""), Some(503), "it leads nowhere yet");
    assert_eq!(ask(&door, &headers(10_300), b""), Some(431));
    assert_eq!(ask(&door, "POST /b HTTP/1.1\r\n", &vec![0; 6 << 20]), Some(503));
    assert_eq!(ask(&door, "POST /b HTTP/1.1\r\n", &vec![0; (6 << 20) + 1]), Some(413));
    assert_eq!(door.counts().into_iter().collect::<Vec<_>>(), [("GET /a".to_owned(), 2), ("POST /b".to_owned(), 2)]);
}

#[test]
fn it_can_be_cut_off_for_a_while() {
    let door = FrontDoor::start();
    door.cut_off(true);
    assert_eq!(ask(&door, "GET / HTTP/1.1\r\n", b""), None);
    door.cut_off(false);
    assert_eq!(ask(&door, "GET / HTTP/1.1\r\n", b""), Some(503));
}
