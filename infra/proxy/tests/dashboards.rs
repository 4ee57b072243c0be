//! Dashboards: open to those who hold the key, and told nothing about them.
#![allow(clippy::unwrap_used)]

mod support;

use support::dashboard::Dashboard;
use support::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

async fn with_dashboard() -> (Proxy, Dashboard) {
    let proxy = Proxy::start().await;
    let dashboard = Dashboard::start().await;
    proxy.publish(([127, 0, 0, 1], 1).into(), Some(dashboard.address)).await;
    (proxy, dashboard)
}

#[tokio::test]
async fn the_key_opens_every_page_as_it_was_asked_for() {
    let (proxy, dashboard) = with_dashboard().await;
    let base = format!("/clusters/{}/{}", cluster(), proxy.key(&cluster()));
    for path in ["/status", "/info/worker/tls%3A%2F%2F127.0.0.1.html?x=%2F&y", "/static/js/%20a.js", "/a//b/?"] {
        let reply = get(proxy.public, &format!("{base}{path}")).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "page"), "{path}");
        assert!(dashboard.last().starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{}", dashboard.last());
    }
}

#[tokio::test]
async fn a_dashboard_gets_no_credentials_and_sets_no_cookie() {
    let (proxy, dashboard) = with_dashboard().await;
    let path = format!("/clusters/{}/{}/status", cluster(), proxy.key(&cluster()));
    let headers = [
        ("cookie", "session=secret"),
        ("cookie", "faregate-dashboard=secret"),
        ("authorization", "Basic secret"),
        ("proxy-authorization", "Basic secret"),
        ("connection", "x-hop"),
        ("x-hop", "secret"),
        ("accept-language", "eo"),
    ];
    let reply = ask(proxy.public, "GET", &path, &headers, "").await;
    let seen = dashboard.last().to_ascii_lowercase();
    assert!(!seen.contains("secret") && !seen.contains("cookie"), "{seen}");
    assert!(seen.contains("accept-language: eo") && seen.contains("host: gateway.example"), "{seen}");
    assert!(!reply.head.contains("cookie") && !reply.head.contains("keep-alive"), "{}", reply.head);
    assert_eq!(reply.head.matches("referrer-policy: ").count(), 1);
    assert!(reply.head.contains("referrer-policy: no-referrer"), "{}", reply.head);
    assert!(reply.head.contains("content-security-policy: sandbox allow-downloads"), "{}", reply.head);
    assert!(!reply.head.contains("allow-same-origin"), "{}", reply.head);
}

#[tokio::test]
async fn a_dashboard_is_shown_the_keys_of_its_cluster_whatever_the_visitor_sends() {
    let (proxy, dashboard) = with_dashboard().await;
    let path = format!("/clusters/{}/{}/status", cluster(), proxy.key(&cluster()));
    let shown = |head: String| -> Vec<String> {
        let lines = head.lines().filter_map(|line| line.strip_prefix("x-faregate-dashboard: ").map(str::to_owned));
        lines.collect()
    };
    let forged = [("x-faregate-dashboard", "forged"), ("X-Faregate-Dashboard", "forged again")];
    for headers in [&forged[..], &[]] {
        let reply = ask(proxy.public, "GET", &path, headers, "").await;
        assert_eq!(reply.status, 200);
        assert!(!reply.head.contains("x-faregate"), "{}", reply.head);
        assert_eq!(shown(dashboard.last()), [proxy.ring.dashboard_keys(&cluster())]);
    }
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_cluster_get_the_same_answer() {
    let (proxy, dashboard) = with_dashboard().await;
    let (name, key) = (cluster(), proxy.key(&cluster()));
    let other = "f".repeat(32).parse().unwrap();
    let token = proxy.ring.token("k1", faregate_keys::Use::Cluster, &name).unwrap();
    let replies = [
        format!("/clusters/{name}/{}/status", proxy.key(&other)),
        format!("/clusters/{name}/{token}/status"),
        format!("/clusters/{name}/{}/status", &key[..key.len() - 1]),
        format!("/clusters/{name}/status"),
        format!("/clusters/{name}"),
        format!("/clusters/{other}/{key}/status"),
        format!("/clusters/{other}/{}/status", proxy.key(&other)),
        format!("/clusters/x/{key}/status"),
        "/clusters/".to_owned(),
    ]
    .map(|path| async move { get(proxy.public, &path).await });
    let mut bodies = vec![];
    for reply in replies {
        let reply = reply.await;
        assert_eq!(reply.status, 404);
        bodies.push(reply.error());
    }
    bodies.dedup();
    assert_eq!((bodies.len(), dashboard.count()), (1, 0), "{bodies:?}");
}

#[tokio::test]
async fn the_schedulers_api_is_closed_in_all_disguises() {
    let (proxy, dashboard) = with_dashboard().await;
    let base = format!("/clusters/{}/{}", cluster(), proxy.key(&cluster()));
    for path in [
        "/api",
        "/api/v1/retire_workers",
        "//api/v1",
        "/%61pi/v1",
        "/%2561pi/v1",
        "/status/../api/v1",
        "/status/%2e%2e/api",
        "/status/..%2fapi",
        "/api?x",
        "/api/?x=/status",
        "/API/v1",
    ] {
        for method in ["GET", "POST"] {
            let reply = ask(proxy.public, method, &format!("{base}{path}"), &[], "").await;
            assert_eq!(reply.status, 404, "{method} {path}");
        }
    }
    assert_eq!(dashboard.count(), 0);
    assert_eq!(get(proxy.public, &format!("{base}/status?x=/api/v1")).await.status, 200);
}

#[tokio::test]
async fn a_websocket_echoes() {
    let (proxy, dashboard) = with_dashboard().await;
    let path = format!("/clusters/{}/{}/status/ws", cluster(), proxy.key(&cluster()));
    let mut browser = BufReader::new(TcpStream::connect(proxy.public).await.unwrap());
    let ask = format!(
        "GET {path} HTTP/1.1\r\nhost: gateway.example\r\norigin: http://gateway.example\r\ncookie: session=secret\r\n\
         connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-key: abc\r\n\
         sec-websocket-protocol: bokeh, token\r\nsec-websocket-version: 13\r\n\r\n"
    );
    browser.write_all(ask.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(soon(browser.read_line(&mut head)).await.unwrap() > 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && head.contains("sec-websocket-accept: abc"), "{head}");
    assert!(head.contains("upgrade: websocket") && !head.contains("cookie"), "{head}");
    let seen = dashboard.last().to_ascii_lowercase();
    assert!(seen.starts_with("get /status/ws http/1.1\r\n") && !seen.contains("secret"), "{seen}");
    assert!(seen.contains("sec-websocket-protocol: bokeh, token") && seen.contains("host: gateway.example"), "{seen}");
    for message in ["one", "two"] {
        browser.write_all(message.as_bytes()).await.unwrap();
        let mut echo = [0; 3];
        soon(browser.read_exact(&mut echo)).await.unwrap();
        assert_eq!(echo, message.as_bytes());
    }
    browser.shutdown().await.unwrap();
    assert_eq!(soon(browser.read(&mut [0; 8])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_redirect_stays_below_the_dashboards_own_place() {
    let proxy = Proxy::with(|config, _| config.prefix = "/services/dask".into()).await;
    let dashboard = Dashboard::start().await;
    proxy.publish(([127, 0, 0, 1], 1).into(), Some(dashboard.address)).await;
    let base = format!("/services/dask/clusters/{}/{}", cluster(), proxy.key(&cluster()));
    for path in [base.clone(), format!("{base}/")] {
        let reply = get(proxy.public, &path).await;
        assert_eq!(reply.status, 302);
        assert!(reply.head.contains(&format!("location: {base}/status\r\n")), "{}", reply.head);
    }
}

#[tokio::test]
async fn a_dashboard_that_is_gone_is_a_bad_gateway() {
    let proxy = Proxy::start().await;
    let (listener, address) = listen().await;
    drop(listener);
    proxy.publish(address, Some(address)).await;
    let reply = get(proxy.public, &format!("/clusters/{}/{}/status", cluster(), proxy.key(&cluster()))).await;
    assert_eq!(reply.status, 502);
    assert!(reply.error().contains(cluster().as_str()));
}

#[tokio::test]
async fn a_new_key_ring_is_used_without_a_restart() {
    let (proxy, _dashboard) = with_dashboard().await;
    let path = format!("/clusters/{}/{}/status", cluster(), proxy.key(&cluster()));
    assert_eq!(get(proxy.public, &path).await.status, 200);
    let keys = proxy.dir.path().join("keys.json");
    let new = faregate_keys::KeyRing::from_random(&[7; 64]);
    std::fs::write(keys.with_extension("new"), serde_json::to_vec(&new).unwrap()).unwrap();
    std::fs::rename(keys.with_extension("new"), &keys).unwrap();
    assert_eq!(get(proxy.public, &path).await.status, 404);
}
