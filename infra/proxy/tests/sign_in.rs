//! Dashboards where people sign in: tickets become cookies, and cookies open one cluster for a while.
#![allow(clippy::unwrap_used)]

mod support;

use faregate_core::model::ClusterName;
use faregate_keys::{Ticket, Use};
use faregate_machine::now;
use faregate_proxy::{Api, ProxyConfig};
use std::sync::atomic::Ordering;
use support::dashboard::Dashboard;
use support::gateway::Gateway;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn signing_in(change: impl FnOnce(&mut ProxyConfig)) -> (Proxy, Dashboard) {
    let proxy = Proxy::with(|config, _| {
        config.sign_in = true;
        config.timeouts.gateway_wait_ms = 50;
        change(config);
    })
    .await;
    let dashboard = Dashboard::start().await;
    proxy.publish(([127, 0, 0, 1], 1).into(), Some(dashboard.address)).await;
    (proxy, dashboard)
}

fn elsewhere(config: &mut ProxyConfig) {
    config.api = Api::Elsewhere { url: Some("https://api.example/prod".into()), https: true };
}

fn issued(proxy: &Proxy, purpose: Use, name: &ClusterName, nonce: u64, expires_at: i64) -> String {
    Ticket { key_id: "k1".into(), expires_at, nonce }.issue(&proxy.ring, purpose, name).unwrap()
}

fn pass(proxy: &Proxy, name: &ClusterName) -> String {
    format!("faregate-dashboard={}", issued(proxy, Use::DashboardSession, name, 1, now() + 60_000))
}

fn other() -> ClusterName {
    "f".repeat(32).parse().unwrap()
}

/// What comes after `<name>: ` in the head; names are in small letters there, and so is the value.
fn header(reply: &Reply, name: &str) -> String {
    let found = reply.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("`{name}` in {}", reply.head)).to_owned()
}

#[tokio::test]
async fn the_cookie_opens_and_the_key_in_the_path_does_not() {
    let (proxy, dashboard) = signing_in(|_| {}).await;
    let gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let name = cluster();
    let path = format!("/clusters/{name}/info/a%2Fb?x");
    let cookie = format!("faregate-dashboard=old; session=x; {}", pass(&proxy, &name));
    let reply = ask(proxy.public, "GET", &path, &[("cookie", &cookie)], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "page"));
    let last = dashboard.last();
    assert!(last.starts_with("GET /info/a%2Fb?x HTTP/1.1\r\n") && !last.to_lowercase().contains("cookie"), "{last}");
    let policy = header(&reply, "content-security-policy");
    assert!(policy.contains(&format!("default-src http://gateway.example/clusters/{name}/ ")), "{policy}");
    assert_eq!(gateway.requests.load(Ordering::SeqCst), 0);

    let expired = format!("faregate-dashboard={}", issued(&proxy, Use::DashboardSession, &name, 1, now() - 1));
    let everlasting = format!("faregate-dashboard={}", proxy.key(&name));
    for cookie in ["session=x", &pass(&proxy, &other()), &expired, &everlasting] {
        let reply = ask(proxy.public, "GET", &path, &[("cookie", cookie)], "").await;
        assert!(reply.body.contains(&format!("\"path\":\"{path}\"")), "the gateway signs in: {}", reply.body);
    }
    let asked = gateway.requests.load(Ordering::SeqCst);
    let with_key = format!("/clusters/{name}/{}/status", proxy.key(&name));
    let cookie = pass(&proxy, &name);
    for headers in [&[][..], &[("cookie", cookie.as_str())]] {
        assert_eq!(ask(proxy.public, "GET", &with_key, headers, "").await.status, 404);
    }
    let api = format!("/clusters/{name}/api/v1/x");
    assert_eq!(ask(proxy.public, "GET", &api, &[("cookie", &cookie)], "").await.status, 404);
    assert_eq!((dashboard.count(), gateway.requests.load(Ordering::SeqCst)), (1, asked));
}

#[tokio::test]
async fn a_ticket_becomes_a_cookie_once() {
    for (change, back, secure) in [
        ((|_: &mut ProxyConfig| {}) as fn(&mut ProxyConfig), "", ""),
        (elsewhere, "https://api.example/prod", "; secure"),
    ] {
        let (proxy, dashboard) = signing_in(change).await;
        let name = cluster();
        let clean = format!("/clusters/{name}/status?theme=dark");
        // it serves: tickets from before its start are not taken
        get(proxy.public, "/nothing").await;
        let ticket = issued(&proxy, Use::Ticket, &name, 7, now() + 60_000);
        let link = clean.replace("/status", &format!("/{ticket}/status"));
        let reply = get(proxy.public, &link).await;
        assert_eq!((reply.status, header(&reply, "location")), (303, clean.clone()));
        assert_eq!(header(&reply, "cache-control"), "no-store");
        assert_eq!(header(&reply, "referrer-policy"), "no-referrer");
        let line = header(&reply, "set-cookie");
        // heads are read in small letters, and names of cookies are not
        let line = line.replace("__secure-", "__Secure-");
        let (cookie, attributes) = line.split_once("; ").unwrap();
        assert_eq!(cookie.starts_with("__Secure-faregate-dashboard="), !secure.is_empty(), "{cookie}");
        assert_eq!(attributes, format!("path=/clusters/{name}/; httponly; samesite=lax{secure}"));
        let shown = ask(proxy.public, "GET", &clean, &[("cookie", cookie)], "").await;
        assert_eq!((shown.status, shown.body.as_str()), (200, "page"));
        let elsewhere = clean.replace(name.as_str(), other().as_str());
        assert_ne!(ask(proxy.public, "GET", &elsewhere, &[("cookie", cookie)], "").await.status, 200);

        let expired = issued(&proxy, Use::Ticket, &name, 8, now() - 1);
        for bad in [link.clone(), link.replace(&ticket, &expired), link.replace(name.as_str(), other().as_str())] {
            let reply = get(proxy.public, &bad).await;
            let cluster = if bad.contains(name.as_str()) { name.clone() } else { other() };
            let place = format!("{back}/clusters/{cluster}/status?theme=dark");
            assert_eq!((reply.status, header(&reply, "location")), (303, place), "back to where one signs in");
            assert!(!reply.head.contains("set-cookie"), "{}", reply.head);
        }
        assert_eq!(dashboard.count(), 1);
    }
}

#[tokio::test]
async fn without_a_cookie_a_visitor_is_led_to_the_api_and_a_page_is_not() {
    let (proxy, dashboard) = signing_in(elsewhere).await;
    let path = format!("/clusters/{}/info/a%2Fb?x", cluster());
    let reply = get(proxy.public, &path).await;
    assert_eq!(
        (reply.status, header(&reply, "location")),
        (303, format!("https://api.example/prod{path}").to_lowercase())
    );
    for headers in [
        &[("sec-fetch-mode", "cors")][..],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        &[("connection", "upgrade"), ("upgrade", "websocket")],
    ] {
        assert_eq!(ask(proxy.public, "GET", &path, headers, "").await.status, 404);
    }
    for path in ["/", "/api/v1/clusters/", "/clusters/", "/clusters/x/status"] {
        assert_eq!(get(proxy.public, path).await.status, 404, "{path}");
    }
    assert_eq!(dashboard.count(), 0);
}

/// The status line that a WebSocket gets.
async fn upgrade(proxy: &Proxy, headers: &str) -> String {
    let mut browser = TcpStream::connect(proxy.public).await.unwrap();
    let ask = format!(
        "GET /clusters/{}/status/ws HTTP/1.1\r\nhost: gateway.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-key: abc\r\nsec-websocket-version: 13\r\n{headers}\r\n",
        cluster()
    );
    browser.write_all(ask.as_bytes()).await.unwrap();
    let mut head = vec![0; 12];
    soon(browser.read_exact(&mut head)).await.unwrap();
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_websocket_needs_the_cookie_of_its_cluster_and_a_page_of_its_own_origin() {
    let (proxy, dashboard) = signing_in(|_| {}).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let cookie = format!("cookie: {}\r\n", pass(&proxy, &cluster()));
    let own = "origin: http://gateway.example\r\n";
    assert_eq!(upgrade(&proxy, &format!("{cookie}{own}")).await, "HTTP/1.1 101");
    let expired = issued(&proxy, Use::DashboardSession, &cluster(), 1, now() - 1);
    for refused in [
        own.to_owned(),
        format!("cookie: {}\r\n{own}", pass(&proxy, &other())),
        format!("cookie: faregate-dashboard={expired}\r\n{own}"),
        format!("{cookie}origin: http://evil.example\r\n"),
        format!("{cookie}origin: null\r\n"),
        format!("{cookie}sec-fetch-site: same-site\r\n"),
    ] {
        assert_eq!(upgrade(&proxy, &refused).await, "HTTP/1.1 404", "{refused}");
    }
    assert_eq!(dashboard.count(), 1);
}

#[tokio::test]
async fn no_service_worker_is_handed_out() {
    let (proxy, dashboard) = signing_in(|_| {}).await;
    let path = format!("/clusters/{}/sw.js", cluster());
    let cookie = pass(&proxy, &cluster());
    let headers = [("cookie", cookie.as_str()), ("service-worker", "script")];
    assert_eq!(ask(proxy.public, "GET", &path, &headers, "").await.status, 404);
    assert_eq!(dashboard.count(), 0);
}
