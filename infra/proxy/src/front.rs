//! What a new connection is, told by its first bytes, and where it goes.

use crate::accept::DescriptorLimit;
use crate::client_hello::{ClientHello, Hello};
use crate::config::{ConfigError, ProxyConfig};
use crate::http::{Channel, Site};
use crate::once::Outside;
use crate::places::{Place, Places, Share};
use crate::relay::relay;
use crate::remaining::{Hold, Remaining};
use crate::replay::Replay;
use crate::routes::RouteSource;
use crate::trust::Remote;
use crate::watched::Watched;
use crate::{accept, http};
use bytes::BytesMut;
use faregate_core::model::ClusterName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

/// Which of `Listeners` a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Public,
    Relay,
    Internal,
}

/// What all connections share.
pub(crate) struct Front {
    handshake: Duration,
    connect: Duration,
    routes: Arc<dyn RouteSource>,
    tls: Option<Watched<TlsAcceptor>>,
    site: Arc<Site>,
    places: Arc<Places>,
    /// Held by every connection until it ends.
    hold: Hold,
}

/// The start of a connection.
enum Start {
    Relay(ClusterName),
    OtherTls,
    Http,
    /// Gone before it said anything (a health check, a port scanner), or saying nothing we know.
    Nothing,
}

impl Front {
    pub(crate) fn open(
        config: ProxyConfig,
        outside: Outside,
        limit: DescriptorLimit,
    ) -> Result<(Self, Remaining), ConfigError> {
        let places = Arc::new(Places::new(limit.count()));
        let (hold, remaining) = Remaining::new();
        let tls = match &config.tls {
            None => None,
            Some(files) => Some(
                Watched::open(vec![files.cert.clone(), files.key.clone()], |pem| acceptor(&pem[0], &pem[1]))
                    .map_err(ConfigError::Tls)?,
            ),
        };
        let front = Front {
            handshake: config.timeouts.handshake(),
            connect: config.timeouts.connect(),
            routes: outside.routes.clone(),
            tls,
            site: Arc::new(Site::open(config, outside, places.clone())?),
            places,
            hold,
        };
        Ok((front, remaining))
    }

    /// Serves one connection to its end. A relay goes on in a task of its own, which is as small as it can be.
    pub(crate) async fn serve(self: Arc<Self>, mut stream: TcpStream, door: Door) {
        let deadline = Instant::now() + self.handshake;
        let (Ok(peer), Ok(own)) = (stream.peer_addr(), stream.local_addr()) else { return };
        let remote = Remote::of(peer, own);
        let Some(share) = self.places.connect(remote.sharer(), door == Door::Internal) else {
            return tracing::debug!(%peer, "a connection is refused: its peer has too many");
        };
        let mut first = BytesMut::new();
        let start = match timeout_at(deadline, read_start(&mut stream, &mut first)).await {
            Ok(Ok(start)) => start,
            Ok(Err(error)) => return tracing::debug!(%error, "a connection failed before it began"),
            Err(_) => return tracing::debug!(read = first.len(), "a connection's first bytes took too long"),
        };
        match (start, door) {
            (Start::Relay(name), Door::Public | Door::Relay) => {
                drop(share);
                match self.places.relay(remote.sharer()) {
                    Ok(place) => self.relay(stream, first, name, place).await,
                    Err(full) => tracing::debug!(%peer, ?full, "a relay is refused: there are too many"),
                }
            }
            (Start::OtherTls, Door::Public) => self.https(stream, first, deadline, remote, share).await,
            (Start::Http, Door::Public) => {
                let channel = if self.tls.is_some() { Channel::PlainBesideHttps } else { Channel::Http };
                http::serve(Replay::new(first, stream), self.site.clone(), channel, remote, share).await
            }
            (Start::Http, Door::Internal) => {
                http::serve(Replay::new(first, stream), self.site.clone(), Channel::Internal, remote, share).await
            }
            (Start::Nothing, _) | (Start::Relay(_) | Start::OtherTls, Door::Internal) => {}
            (Start::OtherTls | Start::Http, Door::Relay) => {}
        }
    }

    /// Joins a client to its scheduler.
    async fn relay(&self, client: TcpStream, hello: BytesMut, name: ClusterName, place: Place) {
        let route = match self.routes.lookup(&name).await {
            Ok(Some(route)) => route,
            Ok(None) => return tracing::debug!(cluster = %name, "no route to this cluster's scheduler"),
            Err(error) => return tracing::error!(cluster = %name, error, "route not readable"),
        };
        if route.closed {
            return tracing::info!(cluster = %name, "relay connection refused: the cluster's owner is shut out");
        }
        let connect = async {
            let mut scheduler = TcpStream::connect(route.scheduler).await?;
            accept::tune(&scheduler)?;
            if route.scheduler.ip().is_loopback() {
                accept::tune_local(&scheduler);
            }
            scheduler.write_all(&hello).await?;
            io::Result::Ok(scheduler)
        };
        let scheduler = match timeout(self.connect, connect).await {
            Ok(Ok(scheduler)) => scheduler,
            Ok(Err(error)) => return tracing::info!(cluster = %name, %error, "scheduler not reachable"),
            Err(_) => return tracing::info!(cluster = %name, "scheduler did not answer in time"),
        };
        let hold = self.hold.clone();
        tokio::spawn(async move {
            let _until_it_ends = (hold, place);
            match relay(client, scheduler).await {
                Ok(relayed) => tracing::debug!(cluster = %name, ?relayed, "a relay ended"),
                Err(error) => tracing::debug!(cluster = %name, %error, "a relay broke"),
            }
        });
    }

    async fn https(&self, stream: TcpStream, first: BytesMut, deadline: Instant, remote: Remote, share: Share) {
        let Some(tls) = &self.tls else { return };
        let handshake = tls.get().accept(Replay::new(first, stream));
        let mut stream = match timeout_at(deadline, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        };
        let mut first = BytesMut::new();
        match timeout_at(deadline, read_head(&mut stream, &mut first)).await {
            Ok(Ok(true)) => {
                let first = Replay::new(first, stream);
                http::serve(first, self.site.clone(), Channel::Https, remote, share).await
            }
            _ => tracing::debug!("a TLS connection sent no request"),
        }
    }
}

/// Reads until it is clear what the connection is, and for HTTP until its first request's head is here.
async fn read_start(stream: &mut TcpStream, first: &mut BytesMut) -> io::Result<Start> {
    const TLS_HANDSHAKE: u8 = 0x16;
    if !read_some(stream, first).await? {
        return Ok(Start::Nothing);
    }
    if first[0] != TLS_HANDSHAKE {
        return Ok(if read_head(stream, first).await? { Start::Http } else { Start::Nothing });
    }
    let (mut hello, mut fed) = (ClientHello::default(), 0);
    loop {
        match hello.feed(&first[fed..]) {
            Hello::Cluster(name) => return Ok(Start::Relay(name)),
            Hello::Other => return Ok(Start::OtherTls),
            Hello::Malformed => return Ok(Start::Nothing),
            Hello::Partial => {}
        }
        fed = first.len();
        if !read_some(stream, first).await? {
            return Ok(Start::Nothing);
        }
    }
}

/// So much of a head is read here. What is longer is left to the HTTP server, which has its bounds.
const ENOUGH: usize = 8 * 1024;

/// Reads until `first` holds the head of an HTTP request, or so much that it must be one. `false`: the end came first.
async fn read_head(stream: &mut (impl AsyncRead + Unpin), first: &mut BytesMut) -> io::Result<bool> {
    let mut searched = 0;
    loop {
        if first[searched..].windows(2).any(|two| two == b"\n\n" || two == b"\n\r") || first.len() >= ENOUGH {
            return Ok(true);
        }
        searched = first.len().saturating_sub(1);
        if !read_some(stream, first).await? {
            return Ok(false);
        }
    }
}

/// Reads once; `false` at the end.
async fn read_some(stream: &mut (impl AsyncRead + Unpin), first: &mut BytesMut) -> io::Result<bool> {
    first.reserve(2048);
    Ok(stream.read_buf(first).await? > 0)
}

fn acceptor(cert: &[u8], key: &[u8]) -> Result<TlsAcceptor, String> {
    let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| format!("the private key: {e}"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| e.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
