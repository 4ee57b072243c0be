//! The API behind the proxy: as the client sent it, also while the gateway restarts.
#![allow(clippy::unwrap_used)]

mod support;

use rustls::pki_types::ServerName;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use support::gateway::Gateway;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener};
use tokio_rustls::TlsConnector;

fn told(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

#[tokio::test]
async fn a_request_reaches_the_gateway_as_it_was_sent() {
    let proxy = Proxy::start().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let headers = [
        ("authorization", "Basic YTpi"),
        ("cookie", "session=1"),
        ("x-forwarded-proto", "https"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("expect", "100-continue"),
    ];
    let reply = ask(proxy.public, "POST", "/api/v1/clusters/a%2Fb/?status=x,y&wait", &headers, "{\"a\": 1}").await;
    let told = told(&reply);
    assert_eq!((&told["method"], &told["path"]), (&"POST".into(), &"/api/v1/clusters/a%2Fb/?status=x,y&wait".into()));
    assert_eq!(told["received"], 8);
    let seen = told["headers"].as_object().unwrap();
    assert_eq!(seen["host"], "gateway.example");
    assert_eq!(seen["authorization"], "Basic YTpi");
    assert_eq!(seen["cookie"], "session=1");
    assert_eq!(seen["x-forwarded-proto"], "http");
    for gone in ["x-hop", "expect", "connection"] {
        assert!(!seen.contains_key(gone), "{gone}");
    }
    assert!(reply.head.contains("set-cookie: session=1; path=/"), "{}", reply.head);
    assert!(reply.head.contains("www-authenticate: negotiate abc"), "{}", reply.head);
    assert!(!reply.head.contains("x-private"), "{}", reply.head);
}

#[tokio::test]
async fn a_request_for_a_whole_url_is_one_for_its_path() {
    let proxy = Proxy::start().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let told = told(&get(proxy.public, "http://other.example:80/api/version?x").await);
    assert_eq!((&told["path"], &told["headers"]["host"]), (&"/api/version?x".into(), &"other.example:80".into()));
}

#[tokio::test]
async fn a_prefix_is_kept_and_nothing_is_served_beside_it() {
    let proxy = Proxy::with(|config, _| config.prefix = "/services/dask".into()).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    for door in [proxy.public, proxy.internal] {
        let reply = get(door, "/services/dask/api/health").await;
        assert_eq!(told(&reply)["path"], "/services/dask/api/health");
        for path in ["/api/health", "/services/daskx/api/health", "/services/dask", "/"] {
            let reply = get(door, path).await;
            assert_eq!(reply.status, 404, "{path}");
            assert!(reply.error().contains("/services/dask/"), "{path}");
        }
    }
}

#[tokio::test]
async fn the_internal_door_serves_the_api_alone() {
    let proxy = Proxy::with(|config, dir| config.tls = Some(tls_files(&certified(&["localhost"]), dir))).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    assert_eq!(told(&get(proxy.internal, "/api/health").await)["path"], "/api/health");
    let key = proxy.key(&cluster());
    for path in ["/", "/apis", "/api", &format!("/clusters/{}/{key}/status", cluster())] {
        assert_eq!(get(proxy.internal, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn requests_share_connections_to_the_gateway() {
    let proxy = Proxy::start().await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    for _ in 0..20 {
        told(&ask(proxy.public, "POST", "/api/v1/clusters/", &[], "{}").await);
    }
    assert_eq!(gateway.requests.load(Ordering::SeqCst), 20);
    assert_eq!(gateway.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_heartbeat_of_eight_megabytes_passes_on_one_connection_after_another_request() {
    let proxy = Proxy::start().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let mut stream = TcpStream::connect(proxy.internal).await.unwrap();
    let first = "GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(first.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let n = soon(stream.read(&mut buffer)).await.unwrap();
    assert_eq!(Reply::parse(&buffer[..n]).status, 200);
    let body = "x".repeat(8 << 20);
    let second = request("POST", "/api/v1/clusters/x/heartbeat", &[], &body);
    stream.write_all(second.as_bytes()).await.unwrap();
    let mut reply = vec![];
    soon(stream.read_to_end(&mut reply)).await.unwrap();
    assert_eq!(told(&Reply::parse(&reply))["received"], 8 << 20);
}

#[tokio::test]
async fn while_the_gateway_is_away_requests_are_told_so_and_relays_live() {
    let proxy = Proxy::with(|config, _| config.timeouts.gateway_wait_ms = 50).await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    let (mut client, mut server) = proxy.joined(&scheduler).await;
    told(&get(proxy.public, "/api/health").await);
    drop(gateway);
    for method in ["GET", "POST"] {
        let reply = ask(proxy.public, method, "/api/health", &[], "").await;
        assert_eq!((reply.status, reply.error().as_str()), (503, "the gateway is restarting; try again"));
        assert!(reply.head.contains("content-type: application/json"));
    }
    client.write_all(b"ping").await.unwrap();
    let mut seen = [0; 4];
    soon(server.read_exact(&mut seen)).await.unwrap();
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    told(&get(proxy.public, "/api/health").await);
}

#[tokio::test]
async fn a_request_waits_for_a_gateway_that_comes_back() {
    let proxy = Proxy::with(|config, _| config.timeouts.gateway_wait_ms = 60_000).await;
    let public = proxy.public;
    let waiting = tokio::spawn(async move { ask(public, "POST", "/api/v1/clusters/", &[], "{}").await });
    tokio::task::yield_now().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    assert_eq!(told(&soon(waiting).await.unwrap())["received"], 2);
}

#[tokio::test]
async fn a_request_that_a_dying_gateway_took_is_repeated_only_when_that_does_no_harm() {
    let proxy = Proxy::start().await;
    for (method, body, repeated) in
        [("GET", "", true), ("DELETE", "", true), ("POST", "", false), ("POST", "{}", false)]
    {
        let socket = gateway_socket(&proxy.dir);
        let _ = std::fs::remove_file(&socket);
        let dying = UnixListener::bind(&socket).unwrap();
        let public = proxy.public;
        let asking = tokio::spawn(async move { ask(public, method, "/api/v1/clusters/x", &[], body).await });
        let (mut stream, _) = soon(dying.accept()).await.unwrap();
        let mut seen = vec![0; 1 << 12];
        let n = soon(stream.read(&mut seen)).await.unwrap();
        assert!(seen[..n].starts_with(method.as_bytes()));
        let gateway = Gateway::start(&socket);
        drop((stream, dying));
        let reply = soon(asking).await.unwrap();
        let expected = if repeated { (200, 1) } else { (503, 0) };
        assert_eq!((reply.status, gateway.requests.load(Ordering::SeqCst)), expected, "{method} {body}");
    }
}

#[tokio::test]
async fn with_a_certificate_the_port_speaks_https_and_says_so() {
    let certified = certified(&["localhost"]);
    let proxy = Proxy::with(|config, dir| config.tls = Some(tls_files(&certified, dir))).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let connector = TlsConnector::from(Arc::new(client_config(certified.roots.clone(), vec![b"http/1.1".to_vec()])));
    let stream = TcpStream::connect(proxy.public).await.unwrap();
    let mut stream = soon(connector.connect(ServerName::try_from("localhost").unwrap(), stream)).await.unwrap();
    stream.write_all(request("GET", "/api/health", &[], "").as_bytes()).await.unwrap();
    let mut reply = vec![];
    soon(stream.read_to_end(&mut reply)).await.unwrap();
    assert_eq!(told(&Reply::parse(&reply))["headers"]["x-forwarded-proto"], "https");

    let reply = get(proxy.public, "/api/health").await;
    assert_eq!(reply.status, 400);
    assert!(reply.error().contains("https://"));

    // The relay is there as before.
    let (scheduler, address) = listen().await;
    proxy.publish(address, None).await;
    proxy.joined(&scheduler).await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let proxy = Proxy::with(|config, dir| config.tls = Some(tls_files(&certified(&["old"]), dir))).await;
    let renewed = certified(&["localhost"]);
    tls_files(&renewed, &proxy.dir);
    let connector = TlsConnector::from(Arc::new(client_config(renewed.roots.clone(), vec![])));
    let stream = TcpStream::connect(proxy.public).await.unwrap();
    soon(connector.connect(ServerName::try_from("localhost").unwrap(), stream)).await.unwrap();
}

#[tokio::test]
async fn without_a_certificate_other_tls_is_closed() {
    let proxy = Proxy::start().await;
    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    stream.write_all(&client_hello("localhost")).await.unwrap();
    assert!(matches!(soon(stream.read(&mut [0; 16])).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn scripts_of_web_pages_cannot_call_the_api() {
    let proxy = Proxy::start().await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    for site in ["same-origin", "same-site", "cross-site"] {
        let headers = [("sec-fetch-site", site), ("cookie", "session=1")];
        let reply = ask(proxy.public, "GET", "/api/v1/clusters/", &headers, "").await;
        assert_eq!(reply.status, 403, "{site}");
    }
    for origin in ["http://gateway.example", "null", "https://evil.example"] {
        let headers = [("origin", origin), ("cookie", "session=1")];
        assert_eq!(ask(proxy.public, "POST", "/api/v1/clusters/", &headers, "{}").await.status, 403, "{origin}");
    }
    assert_eq!(gateway.requests.load(Ordering::SeqCst), 0);
    told(&ask(proxy.public, "GET", "/api/version", &[("sec-fetch-site", "none")], "").await);
}

#[tokio::test]
async fn a_request_with_two_lengths_cannot_smuggle_another() {
    let proxy = Proxy::start().await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    let smuggled = "POST /api/a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\
                    connection: close\r\n\r\n0\r\n\r\nGET /api/b HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(smuggled.as_bytes()).await.unwrap();
    let mut reply = vec![];
    let _ = soon(stream.read_to_end(&mut reply)).await;
    assert!(gateway.requests.load(Ordering::SeqCst) <= 1);
    if let Some(told) = reply.starts_with(b"HTTP/1.1 200").then(|| told(&Reply::parse(&reply))) {
        assert_eq!((&told["path"], &told["received"]), (&"/api/a".into(), &0.into()));
    }
}
