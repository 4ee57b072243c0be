//! A proxy without an API: relays and dashboards alone, their keys in memory.
#![allow(clippy::unwrap_used)]

mod support;

use faregate_core::ports::Route;
use faregate_keys::{KeyRing, Use};
use faregate_proxy::{Api, ConfigError, FileRoutes, Keys, Listeners, MemoryKeys, ProxyConfig, RouteSource, run};
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

fn config(keys: &MemoryKeys) -> ProxyConfig {
    ProxyConfig::new(Api::Elsewhere { url: None, https: false }, keys.clone())
}

/// One cluster, whose dashboard does not listen.
struct One(Route);

#[async_trait::async_trait]
impl RouteSource for One {
    async fn lookup(&self, name: &faregate_core::model::ClusterName) -> Result<Option<Route>, String> {
        Ok((*name == cluster()).then(|| self.0.clone()))
    }
}

#[tokio::test]
async fn without_an_api_its_paths_are_404_in_json() {
    let (public, address) = listen().await;
    let keys = MemoryKeys::new(KeyRing::from_random(&[1; 64]));
    let gone = listen().await.1;
    let routes = Arc::new(One(Route { scheduler: gone, dashboard: Some(gone), closed: false }));
    tokio::spawn(run(config(&keys), Listeners { public, relay: None, internal: None }, routes, pending()));
    for path in ["/api/health", "/api/v1/clusters/", "/", "/nothing", "/clusters/", "/%0A"] {
        let reply = get(address, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.error().is_empty());
    }
}

#[tokio::test]
async fn a_ring_in_memory_is_replaced_while_it_serves() {
    let (public, address) = listen().await;
    let (old, new) = (KeyRing::from_random(&[1; 64]), KeyRing::from_random(&[2; 64]));
    let keys = MemoryKeys::new(old.clone());
    let gone = listen().await.1;
    let routes = Arc::new(One(Route { scheduler: gone, dashboard: Some(gone), closed: false }));
    tokio::spawn(run(config(&keys), Listeners { public, relay: None, internal: None }, routes, pending()));
    let path = |ring: &KeyRing| {
        format!("/clusters/{0}/{1}/status", cluster(), ring.token("k1", Use::Dashboard, &cluster()).unwrap())
    };
    // 502: let in, and the dashboard does not answer
    assert_eq!((get(address, &path(&old)).await.status, get(address, &path(&new)).await.status), (502, 404));
    keys.replace(new.clone());
    assert_eq!((get(address, &path(&old)).await.status, get(address, &path(&new)).await.status), (404, 502));
}

#[tokio::test]
async fn what_remains_ends_with_the_last_relay() {
    let (public, address) = listen().await;
    let (scheduler, place) = listen().await;
    let keys = MemoryKeys::new(KeyRing::from_random(&[1; 64]));
    let routes = Arc::new(One(Route { scheduler: place, dashboard: None, closed: false }));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let proxy = tokio::spawn(run(config(&keys), Listeners { public, relay: None, internal: None }, routes, shutdown));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&client_hello(&format!("daskgateway-{}", cluster()))).await.unwrap();
    let (mut server, _) = soon(scheduler.accept()).await.unwrap();
    drop(stop);
    let mut remaining = Box::pin(soon(proxy).await.unwrap().unwrap().ended());
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is let in");
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut remaining).await.is_err());
    server.write_all(b"still here").await.unwrap();
    drop(server);
    let mut received = String::new();
    soon(client.read_to_string(&mut received)).await.unwrap();
    assert_eq!(received, "still here");
    drop(client);
    soon(remaining).await;
}

#[tokio::test]
async fn sign_in_without_an_api_is_refused() {
    let (public, _) = listen().await;
    let dir = tempfile::tempdir().unwrap();
    let routes = Arc::new(FileRoutes::open(dir.path()).unwrap());
    let keys = MemoryKeys::new(KeyRing::from_random(&[1; 64]));
    let config = ProxyConfig { sign_in: true, ..config(&keys) };
    let refused = run(config, Listeners { public, relay: None, internal: None }, routes, ready(())).await;
    assert!(matches!(refused, Err(ConfigError::SignIn)));
}

#[test]
fn keys_in_memory_are_never_written() {
    let keys = Keys::Memory(MemoryKeys::new(KeyRing::from_random(&[1; 64])));
    assert!(serde_json::to_string(&keys).is_err());
    assert_eq!(serde_json::to_string(&Keys::File("/a/keys.json".into())).unwrap(), "\"/a/keys.json\"");
    assert!(!format!("{keys:?}").contains("AQEB"), "{keys:?}");
}
