//! Clients reach their schedulers, and every byte arrives.
#![allow(clippy::unwrap_used)]

mod support;

use faregate_core::ports::{Route, Routes};
use rustls::pki_types::ServerName;
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use support::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

const SIZE: usize = 64 << 20;

/// A megabyte that does not repeat within itself; its length is a prime, so that no shift by a buffer's size fits.
fn block() -> &'static [u8] {
    static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
    BLOCK.get_or_init(|| (0u32..1_000_003).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect())
}

/// The bytes `from..from + length` of the block repeated for ever, in a few slices.
fn pieces(from: usize, length: usize) -> impl Iterator<Item = &'static [u8]> {
    let (mut at, end) = (from, from + length);
    std::iter::from_fn(move || {
        let start = at % block().len();
        let n = (end - at).min(block().len() - start);
        at += n;
        (n > 0).then(|| &block()[start..start + n])
    })
}

fn pattern(length: usize) -> Vec<u8> {
    pieces(0, length).flatten().copied().collect()
}

async fn send_all(mut to: impl AsyncWrite + Unpin) {
    for piece in pieces(0, SIZE) {
        to.write_all(piece).await.unwrap();
    }
    to.shutdown().await.unwrap();
}

async fn receive_all(mut from: impl AsyncRead + Unpin) {
    let (mut received, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let n = from.read(&mut buffer).await.unwrap();
        if n == 0 {
            break;
        }
        let mut rest = &buffer[..n];
        for piece in pieces(received, n) {
            let (these, others) = rest.split_at(piece.len());
            assert!(these == piece, "bytes from {received} on are right");
            rest = others;
        }
        received += n;
    }
    assert_eq!(received, SIZE);
}

async fn is_closed(mut stream: TcpStream) -> bool {
    match soon(stream.read(&mut [0; 16])).await {
        Ok(n) => n == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

async fn pass(from: &mut TcpStream, to: &mut TcpStream, message: &[u8]) {
    from.write_all(message).await.unwrap();
    let mut seen = vec![0; message.len()];
    soon(to.read_exact(&mut seen)).await.unwrap();
    assert_eq!(seen, message);
}

async fn echo(client: &mut TcpStream, server: &mut TcpStream, message: &[u8]) {
    pass(client, server, message).await;
    pass(server, client, message).await;
}

#[tokio::test]
async fn a_client_speaks_tls_with_its_scheduler_whatever_the_case_of_its_letters() {
    let proxy = Proxy::start().await;
    let certified = certified(&[&format!("daskgateway-{}", cluster())]);
    let (listener, address) = listen().await;
    proxy.publish(address, None).await;
    let acceptor = certified.acceptor.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.unwrap();
            word.reverse();
            stream.write_all(&word).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    // A hello of more than four kilobytes, as clients with many session tickets or hybrid key shares send it.
    let alpn = (0..30).map(|i| format!("{i:0200}").into_bytes()).collect();
    for (name, alpn) in [
        (format!("daskgateway-{}", cluster()), vec![]),
        (format!("DASKGATEWAY-{}", cluster().as_str().to_uppercase()), vec![]),
        (format!("daskgateway-{}", cluster()), alpn),
    ] {
        for door in [proxy.public, proxy.relay] {
            let connector = TlsConnector::from(Arc::new(client_config(certified.roots.clone(), alpn.clone())));
            let stream = TcpStream::connect(door).await.unwrap();
            let name = ServerName::try_from(name.clone()).unwrap();
            let mut stream = soon(connector.connect(name, stream)).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            let mut answer = vec![];
            soon(stream.read_to_end(&mut answer)).await.unwrap();
            assert_eq!(answer, b"olleh");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bytes_arrive_after_the_client_has_closed_its_half_and_back() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let (client, server) = proxy.joined(&scheduler).await;
    let (mut from_client, mut to_client) = server.into_split();
    let (mut from_server, mut to_server) = client.into_split();
    let sending = tokio::spawn(async move { send_all(&mut to_server).await });
    soon(receive_all(&mut from_client)).await;
    soon(sending).await.unwrap();
    // The client's half is closed; the other still carries everything.
    let sending = tokio::spawn(async move { send_all(&mut to_client).await });
    soon(receive_all(&mut from_server)).await;
    soon(sending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bytes_arrive_in_both_directions_at_once() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let (client, server) = proxy.joined(&scheduler).await;
    let (from_client, to_client) = server.into_split();
    let (from_server, to_server) = client.into_split();
    let tasks = [
        tokio::spawn(send_all(to_server)),
        tokio::spawn(send_all(to_client)),
        tokio::spawn(receive_all(from_client)),
        tokio::spawn(receive_all(from_server)),
    ];
    for task in tasks {
        soon(task).await.unwrap();
    }
}

#[tokio::test]
async fn a_hello_may_come_byte_by_byte() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let mut client = TcpStream::connect(proxy.public).await.unwrap();
    client.set_nodelay(true).unwrap();
    let hello = client_hello(&format!("daskgateway-{}", cluster()));
    for byte in &hello {
        client.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (mut server, _) = soon(scheduler.accept()).await.unwrap();
    let mut seen = vec![0; hello.len()];
    soon(server.read_exact(&mut seen)).await.unwrap();
    assert_eq!(seen, hello);
    echo(&mut client, &mut server, b"ping").await;
}

#[tokio::test]
async fn a_silent_handshake_ends_and_an_idle_relay_does_not() {
    let proxy = Proxy::with(|config, _| config.timeouts.handshake_ms = 300).await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let (mut client, mut server) = proxy.joined(&scheduler).await;
    for first in [&b""[..], &client_hello(&format!("daskgateway-{}", cluster()))[..100], b"GET / HTTP/1.1\r\nHo"] {
        let mut silent = TcpStream::connect(proxy.public).await.unwrap();
        silent.write_all(first).await.unwrap();
        assert!(is_closed(silent).await, "{} bytes", first.len());
    }
    // Three handshake limits have passed.
    echo(&mut client, &mut server, b"still here").await;
}

#[tokio::test]
async fn nobody_is_relayed_to_an_unknown_cluster_or_by_another_name() {
    let proxy = Proxy::start().await;
    let (_scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let unknown = format!("daskgateway-{}", "f".repeat(32));
    for name in
        [&unknown, "daskgateway-../routes", "example.com"].into_iter().filter(|n| ServerName::try_from(*n).is_ok())
    {
        let mut client = TcpStream::connect(proxy.public).await.unwrap();
        client.write_all(&client_hello(name)).await.unwrap();
        assert!(is_closed(client).await, "{name}");
    }
    let mut internal = TcpStream::connect(proxy.internal).await.unwrap();
    internal.write_all(&client_hello(&format!("daskgateway-{}", cluster()))).await.unwrap();
    assert!(is_closed(internal).await, "the internal door does not relay");
    let mut relay = TcpStream::connect(proxy.relay).await.unwrap();
    relay.write_all(request("GET", "/api/health", &[], "").as_bytes()).await.unwrap();
    assert!(is_closed(relay).await, "the relay door does not serve HTTP");
}

#[tokio::test]
async fn a_scheduler_that_is_gone_closes_the_connection() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    drop(scheduler);
    proxy.publish(address, None).await;
    let mut client = TcpStream::connect(proxy.public).await.unwrap();
    client.write_all(&client_hello(&format!("daskgateway-{}", cluster()))).await.unwrap();
    assert!(is_closed(client).await);
}

#[tokio::test]
async fn a_reset_on_one_side_ends_the_other() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    for scheduler_resets in [true, false] {
        let (client, server) = proxy.joined(&scheduler).await;
        let (breaking, other) = if scheduler_resets { (server, client) } else { (client, server) };
        breaking.set_zero_linger().unwrap();
        drop(breaking);
        assert!(is_closed(other).await);
    }
}

#[tokio::test]
async fn a_removed_route_takes_no_new_connection_and_keeps_the_old() {
    use faregate_core::ports::Routes;
    let proxy = Proxy::start().await;
    let (scheduler, address): (TcpListener, _) = listen().await;
    proxy.publish(address, None).await;
    let (mut client, mut server) = proxy.joined(&scheduler).await;
    proxy.routes.remove(&cluster()).await.unwrap();
    let mut late = TcpStream::connect(proxy.public).await.unwrap();
    late.write_all(&client_hello(&format!("daskgateway-{}", cluster()))).await.unwrap();
    assert!(is_closed(late).await);
    echo(&mut client, &mut server, b"ping").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_size_pass_while_the_receiver_is_slow() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let (mut client, mut server) = proxy.joined(&scheduler).await;
    let sizes = [1, 100, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 70_000, 300_000, 1_500_000, 7, 16 * 1024 * 5];
    let sending = tokio::spawn(async move {
        for _ in 0..5 {
            for size in sizes {
                client.write_all(&pattern(size)).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        client
    });
    for round in 0..5 {
        for size in sizes {
            let mut seen = vec![0; size];
            for part in seen.chunks_mut(10_000) {
                soon(server.read_exact(part)).await.unwrap();
                tokio::task::yield_now().await;
            }
            assert!(seen == pattern(size), "message of {size} bytes, round {round}");
        }
    }
    let mut client = soon(sending).await.unwrap();
    echo(&mut client, &mut server, b"ping").await;
}

#[tokio::test]
async fn a_closed_route_lets_nobody_in_and_those_who_are_in_stay() {
    let proxy = Proxy::start().await;
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let (mut client, mut server) = proxy.joined(&scheduler).await;
    let closed = Route { scheduler: address, dashboard: None, closed: true };
    proxy.routes.publish(&cluster(), &closed).await.unwrap();

    let mut late = TcpStream::connect(proxy.public).await.unwrap();
    late.write_all(&client_hello(&format!("daskgateway-{}", cluster()))).await.unwrap();
    assert!(is_closed(late).await);
    echo(&mut client, &mut server, b"still here").await;

    proxy.publish(address, None).await;
    let (mut client, mut server) = proxy.joined(&scheduler).await;
    echo(&mut client, &mut server, b"in again").await;
}
