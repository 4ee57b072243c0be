//! The proxy: the one public port of a gateway.
//!
//! A process of its own, because a relay connection that closes cancels every Future its client waits for: gateways
//! restart, the proxy stays. What arrives at the port is told apart by its first bytes:
//!
//! - a TLS handshake for `daskgateway-<name>` is relayed, byte for byte, to that cluster's scheduler (`relay`);
//! - any other TLS handshake is HTTPS, when a certificate is configured;
//! - everything else is HTTP: dashboards, and the gateway's API (`http`).
//!
//! The proxy decides nothing and keeps no state: routes and keys are read where the gateway writes them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
mod client_hello;
mod config;
pub mod control;
mod front;
mod http;
mod once;
mod peer_uid;
mod pipes;
mod places;
mod relay;
mod remaining;
mod replay;
mod routes;
mod sparse;
mod trust;
mod watched;

pub use accept::{DescriptorLimit, raise_descriptor_limit};
pub use client_hello::{ClientHello, Hello, MAX_HELLO};
/// The header by which the gateway knows requests of its proxy: it carries the secret of [`ProxyConfig::gateway_secret`], whatever a client
/// sent under that name.
pub const GATEWAY_SECRET: ::http::HeaderName = ::http::HeaderName::from_static("x-faregate-gateway-secret");

pub use config::{Api, ConfigError, Keys, Listeners, LocalPeers, MemoryKeys, ProxyConfig, Scheme, Timeouts, TlsFiles};
pub use once::{MemoryOnce, Outside};
pub use remaining::Remaining;
pub use routes::{FileRoutes, RouteSource};

use front::{Door, Front};
use std::future::Future;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Serves until `shutdown` resolves. Relays that are established then live as long as the runtime does: [`Remaining`] tells when
/// they have ended.
///
/// Raises the process's soft limit of file descriptors to its hard limit. Fails only at the start, when the
/// configuration cannot be used; nothing was accepted then.
pub async fn run(
    config: ProxyConfig,
    listeners: Listeners,
    outside: impl Into<Outside>,
    shutdown: impl Future<Output = ()>,
) -> Result<Remaining, ConfigError> {
    let limit = raise_descriptor_limit();
    let (front, remaining) = Front::open(config, outside.into(), limit)?;
    serve(Arc::new(front), listeners, limit, shutdown).await;
    Ok(remaining)
}

async fn serve(front: Arc<Front>, listeners: Listeners, limit: DescriptorLimit, shutdown: impl Future<Output = ()>) {
    let doors =
        [(Some(listeners.public), Door::Public), (listeners.relay, Door::Relay), (listeners.internal, Door::Internal)];
    let mut accepting = JoinSet::new();
    for (listener, door) in doors {
        let Some(listener) = listener else { continue };
        let front = front.clone();
        // The last descriptors are for the gateway and its schedulers: their heartbeats must not starve.
        let ceiling = if door == Door::Internal { None } else { limit.public_ceiling() };
        accepting.spawn(accept::serve(listener, ceiling, move |stream| {
            tokio::spawn(front.clone().serve(stream, door));
        }));
    }
    shutdown.await;
    accepting.shutdown().await;
}
