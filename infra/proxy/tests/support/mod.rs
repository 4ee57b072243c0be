//! A proxy in this process, and what stands around it.
#![allow(dead_code)]

pub mod dashboard;
pub mod gateway;

use faregate_core::model::ClusterName;
use faregate_core::ports::{Route, Routes};
use faregate_keys::{KeyRing, Use};
use faregate_proxy::{Api, FileRoutes, Listeners, ProxyConfig, TlsFiles};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Long enough for anything that must happen, on any machine.
pub const SOON: Duration = Duration::from_secs(60);

/// A running proxy. It stops accepting when dropped.
pub struct Proxy {
    pub dir: TempDir,
    pub public: SocketAddr,
    pub relay: SocketAddr,
    pub internal: SocketAddr,
    pub ring: KeyRing,
    pub routes: FileRoutes,
    _stop: oneshot::Sender<()>,
}

pub fn gateway_socket(dir: &TempDir) -> PathBuf {
    dir.path().join("gateway.sock")
}

pub fn cluster() -> ClusterName {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

impl Proxy {
    pub async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// With a configuration changed by `change`, which may also write files.
    pub async fn with(change: impl FnOnce(&mut ProxyConfig, &TempDir)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::from_random(&std::array::from_fn(|i| i as u8));
        let keys = dir.path().join("keys.json");
        std::fs::write(&keys, serde_json::to_vec(&ring).unwrap()).unwrap();
        let mut config = ProxyConfig::new(Api::Unix(gateway_socket(&dir)), keys);
        change(&mut config, &dir);
        let routes = FileRoutes::open(&dir.path().join("routes")).unwrap();
        let bind = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
        let (public, relay, internal) = (bind().await, bind().await, bind().await);
        let addresses = [&public, &relay, &internal].map(|l| l.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let listeners = Listeners { public, relay: Some(relay), internal: Some(internal) };
        let source = Arc::new(routes.clone());
        tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            faregate_proxy::run(config, listeners, source, shutdown).await.unwrap();
        });
        let [public, relay, internal] = addresses;
        Proxy { dir, public, relay, internal, ring, routes, _stop: stop }
    }

    pub fn key(&self, name: &ClusterName) -> String {
        self.ring.token("k1", Use::Dashboard, name).unwrap()
    }

    pub async fn publish(&self, scheduler: SocketAddr, dashboard: Option<SocketAddr>) {
        self.routes.publish(&cluster(), &Route { scheduler, dashboard, closed: false }).await.unwrap();
    }

    /// A raw relay connection through `door`: the proxy's side of the ClientHello is done, the scheduler has read it.
    pub async fn joined(&self, scheduler: &TcpListener) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect(self.public).await.unwrap();
        let hello = client_hello(&format!("daskgateway-{}", cluster()));
        client.write_all(&hello).await.unwrap();
        let (mut server, _) = soon(scheduler.accept()).await.unwrap();
        let mut seen = vec![0; hello.len()];
        soon(server.read_exact(&mut seen)).await.unwrap();
        assert_eq!(seen, hello);
        (client, server)
    }
}

pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, what).await.expect("it happens soon")
}

/// A listener at a free port of the loopback.
pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What a real client sends first.
pub fn client_hello(server_name: &str) -> Vec<u8> {
    let config = client_config(rustls::RootCertStore::empty(), vec![]);
    let name = ServerName::try_from(server_name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = vec![];
    client.write_tls(&mut bytes).unwrap();
    bytes
}

pub fn client_config(roots: rustls::RootCertStore, alpn: Vec<Vec<u8>>) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn;
    config
}

/// A self-signed certificate for some names.
pub struct Certified {
    pub pem: (String, String),
    pub roots: rustls::RootCertStore,
    pub acceptor: tokio_rustls::TlsAcceptor,
}

pub fn certified(names: &[&str]) -> Certified {
    let made = rcgen::generate_simple_self_signed(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Certified {
        pem: (made.cert.pem(), made.signing_key.serialize_pem()),
        roots,
        acceptor: tokio_rustls::TlsAcceptor::from(Arc::new(config)),
    }
}

/// Writes certificate and key where a configuration can name them.
pub fn tls_files(certified: &Certified, dir: &TempDir) -> TlsFiles {
    let files = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.cert, &certified.pem.0).unwrap();
    std::fs::write(&files.key, &certified.pem.1).unwrap();
    files
}

/// An answer as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        // What answers `Expect: 100-continue` comes before the real answer.
        let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text).to_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status =
            head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("a status: {text:?}"));
        Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn error(&self) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        json["error"].as_str().expect("`error`").to_owned()
    }
}

/// One request on a connection of its own, as it stands; `Connection: close` is added.
pub async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request(method, path, headers, body).as_bytes()).await.unwrap();
    let mut reply = vec![];
    soon(stream.read_to_end(&mut reply)).await.unwrap();
    Reply::parse(&reply)
}

pub async fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, "GET", path, &[], "").await
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\n{length}{headers}\r\n{body}")
}
