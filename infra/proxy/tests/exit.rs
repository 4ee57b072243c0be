//! Every answer that leaves over HTTP has a policy, whoever made it: one without is a hole in all others.
#![allow(clippy::unwrap_used)]

mod support;

use faregate_keys::Use;
use support::dashboard::Dashboard;
use support::gateway::Gateway;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Its page could be framed, and whoever frames it be in the origin without bounds.
fn is_kept_to_itself(reply: &Reply) -> bool {
    let lines = reply.head.lines().filter_map(|line| line.strip_prefix("content-security-policy: "));
    lines.into_iter().any(|policy| policy.contains("sandbox"))
        && (reply.head.contains("frame-ancestors 'none'") || !reply.head.contains("allow-same-origin"))
}

async fn check(what: &str, expected: u16, reply: Reply) {
    assert_eq!(reply.status, expected, "{what}: {}", reply.head);
    assert!(is_kept_to_itself(&reply), "{what}: {}", reply.head);
}

#[tokio::test]
async fn answers_of_the_proxy_the_gateway_and_dashboards_have_a_policy() {
    for sign_in in [false, true] {
        let proxy = Proxy::with(|config, _| {
            config.sign_in = sign_in;
            config.prefix = "/p".into();
            config.timeouts.gateway_wait_ms = 10;
        })
        .await;
        let dashboard = Dashboard::start().await;
        proxy.publish(([127, 0, 0, 1], 1).into(), Some(dashboard.address)).await;
        let name = cluster();
        let expires_at = faregate_machine::now() + 60_000;
        let ticket = |purpose| {
            let ticket = faregate_keys::Ticket { key_id: "k1".into(), expires_at, nonce: 1 };
            ticket.issue(&proxy.ring, purpose, &name).unwrap()
        };
        let cookie = format!("faregate-dashboard={}", ticket(Use::DashboardSession));
        let cookie = [("cookie", cookie.as_str())];
        let base = match sign_in {
            true => format!("/p/clusters/{name}"),
            false => format!("/p/clusters/{name}/{}", proxy.key(&name)),
        };
        let websocket = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-fetch-site", "cross-site")];
        let get = async |path: &str, headers: &[(&str, &str)]| ask(proxy.public, "GET", path, headers, "").await;

        check("a page", 200, get(&format!("{base}/static/x.js"), &cookie).await).await;
        check("a redirect", 302, get(&format!("{base}/"), &cookie).await).await;
        check("the dashboard's API", 404, get(&format!("{base}/api/v1"), &cookie).await).await;
        check("a wrong key", 404, get(&format!("/p/clusters/{name}/k1-00/x"), &websocket).await).await;
        check("a WebSocket refused", 404, get(&format!("/p/clusters/{name}/x"), &websocket).await).await;
        check("another cluster", 404, get(&format!("/p/clusters/{}/x", "f".repeat(32)), &websocket).await).await;
        check("outside", 404, get("/", &[]).await).await;
        check("a page asks the API", 403, get("/p/api/v1", &[("sec-fetch-site", "same-origin")]).await).await;
        check("the gateway is away", 503, get("/p/api/health", &[]).await).await;
        check("not on this port", 404, ask(proxy.internal, "GET", "/p/x", &[], "").await).await;
        if sign_in {
            let link = format!("{base}/{}/x", ticket(Use::Ticket));
            check("a ticket", 303, get(&link, &[]).await).await;
            check("a ticket that was used", 303, get(&link, &[]).await).await;
            check("nobody signs in", 503, get(&format!("{base}/x"), &[]).await).await;
        }
        let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
        check("the gateway", 200, get("/p/api/health", &[]).await).await;
        proxy.publish(([127, 0, 0, 1], 1).into(), Some(([127, 0, 0, 1], 1).into())).await;
        check("no dashboard there", 502, get(&format!("{base}/status"), &cookie).await).await;
        let route = proxy.dir.path().join(format!("routes/{name}.json"));
        std::fs::write(route, "{").unwrap();
        check("nobody knows where", 503, get(&format!("{base}/status"), &cookie).await).await;
    }
}

#[tokio::test]
async fn plain_http_beside_https_is_refused_with_a_policy() {
    let certified = certified(&["gateway.example"]);
    let proxy = Proxy::with(|config, dir| config.tls = Some(tls_files(&certified, dir))).await;
    check("plain HTTP", 400, get(proxy.public, "/").await).await;
}

/// Bytes as they are, and what comes back until the end.
async fn send(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(proxy.public).await.unwrap();
    // it may be refused before its end
    let _ = stream.write_all(bytes).await;
    let mut reply = vec![];
    let _ = soon(stream.read_to_end(&mut reply)).await;
    reply
}

#[tokio::test]
async fn what_the_http_library_answers_by_itself_has_a_policy_too() {
    let proxy = Proxy::start().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let first = "GET /api/health HTTP/1.1\r\nhost: a\r\n\r\n";
    // a page can set cookies that make the next request for a path too long
    let cookies = format!("GET /api/health HTTP/1.1\r\nhost: a\r\ncookie: {}\r\n\r\n", "a".repeat(300_000));
    let headers: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (what, bytes, expected) in [
        ("a malformed line", "GET / x HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("a malformed header", "GET / HTTP/1.1\r\nno header\r\n\r\n".to_owned(), 400),
        ("too many headers", format!("GET / HTTP/1.1\r\n{headers}\r\n"), 431),
        ("too long a head", cookies, 431),
        ("a contradiction", "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), 400),
    ] {
        let reply = Reply::parse(&send(&proxy, bytes.as_bytes()).await);
        check(what, expected, reply.clone()).await;
        assert!(!reply.error().is_empty());

        let mut stream = TcpStream::connect(proxy.public).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut reply = vec![0; 12];
        soon(stream.read_exact(&mut reply)).await.unwrap();
        assert_eq!(reply, b"HTTP/1.1 200");
        // the rest of the good answer, and then what is said of the bad request
        let _ = stream.write_all(bytes.as_bytes()).await;
        let _ = soon(stream.read_to_end(&mut reply)).await;
        let text = String::from_utf8_lossy(&reply).into_owned();
        let second = text[12..].find("HTTP/1.1 4").map(|at| text[12 + at..].to_owned());
        let second = second.unwrap_or_else(|| panic!("{what}, after a good one: {text}"));
        check(what, expected, Reply::parse(second.as_bytes())).await;
    }
}
