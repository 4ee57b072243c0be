//! Who sends slowly, or begins much and ends nothing, holds up nobody else.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::Ordering;
use support::gateway::Gateway;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The start of a request whose body does not come.
async fn half_sent(proxy: &Proxy, length: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    let head = format!("POST /api/v1/clusters/ HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'a'; sent]).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> Reply {
    let mut reply = vec![];
    soon(stream.read_to_end(&mut reply)).await.unwrap();
    Reply::parse(&reply)
}

#[tokio::test]
async fn a_small_body_is_complete_before_the_gateway_hears_of_it() {
    let proxy = Proxy::start().await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let mut waiting = vec![];
    for _ in 0..50 {
        waiting.push(half_sent(&proxy, 1000, 1).await);
    }
    assert_eq!(get(proxy.public, "/api/health").await.status, 200);
    assert_eq!((gateway.connections.load(Ordering::SeqCst), gateway.requests.load(Ordering::SeqCst)), (1, 1));
    let mut one = waiting.pop().unwrap();
    one.write_all(&[b'a'; 999]).await.unwrap();
    let mut answer = [0; 12];
    soon(one.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_refused_with_the_rate() {
    let proxy = Proxy::with(|config, _| config.timeouts.body_ms = 200).await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    for (length, sent) in [(1000, 1), (1 << 20, 100_000)] {
        let reply = rest(half_sent(&proxy, length, sent).await).await;
        assert_eq!(reply.status, 408, "{}", reply.head);
        assert!(reply.error().contains("send at least 4096 bytes a second"), "{}", reply.body);
    }
    assert_eq!(get(proxy.public, "/api/health").await.status, 200);
    assert!(gateway.requests.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn a_head_that_was_begun_ends_in_time_also_after_a_request() {
    let proxy = Proxy::with(|config, _| config.timeouts.handshake_ms = 200).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    stream.write_all(b"GET /api/health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    soon(stream.read(&mut [0; 4096])).await.unwrap();
    stream.write_all(b"GET /api/health HTTP/1.1\r\nhost:").await.unwrap();
    let mut reply = vec![];
    let _ = soon(stream.read_to_end(&mut reply)).await;
    assert!(!String::from_utf8_lossy(&reply).contains("HTTP/1.1 200"), "it is not answered");

    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    stream.write_all(b"GET /api/health HTTP/1.1\r\nhost:").await.unwrap();
    let mut reply = vec![];
    let _ = soon(stream.read_to_end(&mut reply)).await;
    assert!(reply.is_empty());
}

#[tokio::test]
async fn a_large_body_passes_whole() {
    let proxy = Proxy::start().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    for length in [1, 65_535, 65_536, 65_537, 3 << 20] {
        let reply = ask(proxy.public, "POST", "/api/x", &[], &"a".repeat(length)).await;
        let told: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(told["received"], length);
    }
    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    let head = "POST /api/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..3 {
        let chunk = format!("{:x}\r\n{}\r\n", 50_000, "a".repeat(50_000));
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let told: serde_json::Value = serde_json::from_str(&rest(stream).await.body).unwrap();
    assert_eq!(told["received"], 150_000);
}
