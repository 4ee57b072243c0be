//! Whose process connects is told, and where nobody signs in it decides. Needs to be run as root, as it acts as another user.
#![allow(clippy::unwrap_used)]

mod support;

use faregate_proxy::LocalPeers;
use rustix::process::geteuid;
use serde_json::Value;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use support::dashboard::Dashboard;
use support::gateway::Gateway;
use support::*;

/// `nobody`, by number.
const OTHER: u32 = 65_534;

/// One request by a process of this user.
async fn ask_as(uid: u32, address: SocketAddr, path: &str, headers: &str) -> Reply {
    assert!(geteuid().is_root(), "this test acts as another user: run it as root");
    let (port, ip) = (address.port(), address.ip());
    let request = format!("GET {path} HTTP/1.1\\r\\nhost: {ip}:{port}\\r\\nconnection: close\\r\\n{headers}\\r\\n");
    let program = format!("exec 3<>/dev/tcp/{ip}/{port} && printf '{request}' >&3 && cat <&3");
    let run = move || Command::new("bash").args(["-c", &program]).uid(uid).gid(uid).current_dir("/").output().unwrap();
    let output = soon(tokio::task::spawn_blocking(run)).await.unwrap();
    Reply::parse(&output.stdout)
}

fn told(reply: &Reply) -> Value {
    serde_json::from_str::<Value>(&reply.body).unwrap()["headers"].clone()
}

#[tokio::test]
async fn the_gateway_is_told_whose_process_connects_whatever_that_says() {
    let proxy = Proxy::start().await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let lies = "faregate-peer-uid: 0\\r\\nfaregate-peer-address: 192.0.2.1\\r\\nx-forwarded-proto: https\\r\\n";
    for door in [proxy.public, proxy.internal] {
        for uid in [0, OTHER] {
            let headers = told(&ask_as(uid, door, "/api/x", lies).await);
            assert_eq!(headers["faregate-peer-uid"], uid.to_string());
            assert_eq!(headers["faregate-peer-address"], "127.0.0.1");
            assert_eq!(headers["x-forwarded-proto"], "http");
        }
    }
}

#[tokio::test]
async fn of_a_trusted_proxy_the_gateway_is_told_for_whom_it_speaks() {
    let proxy = Proxy::with(|config, _| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let said = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https"), ("faregate-peer-uid", "0")];
    let headers = told(&ask(proxy.public, "GET", "/api/x", &said, "").await);
    assert_eq!(
        (&headers["faregate-peer-address"], &headers["x-forwarded-proto"]),
        (&"192.0.2.1".into(), &"https".into())
    );
    assert_eq!(headers["faregate-peer-uid"], Value::Null, "a proxy's process is not whom it speaks for");
}

#[tokio::test]
async fn where_nobody_signs_in_another_users_processes_get_nothing_and_schedulers_go_on() {
    let proxy = Proxy::with(|config, _| config.local_peers = LocalPeers::OwnOnly).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let dashboard = Dashboard::start().await;
    proxy.publish(([127, 0, 0, 1], 1).into(), Some(dashboard.address)).await;
    let page = format!("/clusters/{}/{}/x", cluster(), proxy.key(&cluster()));
    for path in ["/api/health", "/api/v1/clusters/", "/", &page] {
        let refused = ask_as(OTHER, proxy.public, path, "").await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.error().contains("only processes of the gateway's own user (id 0)"), "{}", refused.body);
        assert!(refused.error().contains("yours is of user 65534"), "{}", refused.body);
        assert_eq!(ask_as(0, proxy.public, path, "").await.status, 200, "{path}");
    }
    assert_eq!(dashboard.count(), 1);
    let heartbeat = ask_as(OTHER, proxy.internal, "/api/v1/clusters/x/heartbeat", "").await;
    assert_eq!(heartbeat.status, 200, "tasks may run as other users: the gateway knows them by their tokens");
}

#[tokio::test]
async fn a_name_that_a_web_page_made_up_does_not_lead_here() {
    for peers in [LocalPeers::OwnOnly, LocalPeers::Known] {
        let proxy = Proxy::with(|config, _| config.local_peers = peers).await;
        let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
        // the host of `ask` is `gateway.example`
        let refused = ask(proxy.public, "GET", "/api/health", &[], "").await;
        assert_eq!(refused.status, 403);
        assert!(refused.error().contains("`gateway.example` is no name of this gateway"), "{}", refused.body);
    }
}
