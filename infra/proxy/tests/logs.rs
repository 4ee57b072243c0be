//! What is logged, at the most talkative level.
#![allow(clippy::unwrap_used)]

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use support::gateway::Gateway;
use support::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_and_a_health_check_is_no_event() {
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter("trace").with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let text = || String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    let proxy = Proxy::with(|config, _| config.timeouts.gateway_wait_ms = 10).await;
    let key = proxy.key(&cluster());
    let (scheduler, gone) = listen().await;

    drop(TcpStream::connect(proxy.public).await.unwrap());
    assert_eq!(get(proxy.public, "/api/health").await.status, 503);
    let before = text();
    assert!(before.contains("a request was not answered"), "logs are captured: {before}");
    assert!(!before.contains("failed before it began"), "{before}");

    drop(scheduler);
    proxy.publish(gone, Some(gone)).await;
    let _gateway = Gateway::start(&gateway_socket(&proxy.dir));
    let cookie = format!("faregate-dashboard={key}");
    let headers = [("cookie", cookie.as_str()), ("authorization", key.as_str())];
    for (path, status) in [(format!("/clusters/{}/{key}/status", cluster()), 502), (format!("/api/{key}"), 200)] {
        assert_eq!(ask(proxy.public, "GET", &path, &headers, "").await.status, status);
    }
    let mut broken = TcpStream::connect(proxy.public).await.unwrap();
    broken.write_all(format!("GET /clusters/{}/{key}/ HTTP/9.9\r\n\r\n", cluster()).as_bytes()).await.unwrap();
    tokio::io::copy(&mut broken, &mut tokio::io::sink()).await.unwrap();
    let secret = &key[key.find('-').unwrap()..];
    assert!(text().contains("a dashboard did not answer"));
    assert!(!text().contains(secret), "{}", text());
}
