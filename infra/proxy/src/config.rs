//! What the caller decides.

use faregate_headers::Network;
use faregate_keys::KeyRing;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// Where the gateway's API is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Api {
    /// HTTP/1.1 over a Unix socket at this path.
    Unix(PathBuf),
    /// Not behind this proxy, which serves relays and dashboards alone.
    Elsewhere {
        /// Where those sign in who come to a dashboard without a cookie: `https://host` and the API's prefix, without a slash at
        /// the end.
        url: Option<String>,
        /// Browsers come by HTTPS, which somebody before this proxy ends.
        https: bool,
    },
}

/// Where the key ring is that dashboards' keys are checked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Keys {
    /// In a file, a [`KeyRing`] as JSON. Read again when it changes.
    File(PathBuf),
    /// In memory. Never written anywhere.
    #[serde(skip)]
    Memory(MemoryKeys),
}

impl From<MemoryKeys> for Keys {
    fn from(keys: MemoryKeys) -> Self {
        Keys::Memory(keys)
    }
}

impl From<PathBuf> for Keys {
    fn from(path: PathBuf) -> Self {
        Keys::File(path)
    }
}

/// A key ring that can be replaced while it is in use. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryKeys(Arc<Mutex<Arc<KeyRing>>>);

impl MemoryKeys {
    /// Whether the ring is well formed says [`KeyRing::check`].
    pub fn new(ring: KeyRing) -> Self {
        MemoryKeys(Arc::new(Mutex::new(Arc::new(ring))))
    }

    /// The ring of now.
    pub fn get(&self) -> Arc<KeyRing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it is this one.
    pub fn replace(&self, ring: KeyRing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

impl PartialEq for MemoryKeys {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for MemoryKeys {}

/// A certificate and its private key. Both are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// Certificate chain, PEM, the server's own first.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Time limits. None applies to an established relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeouts {
    /// From a connection's start until its ClientHello, or the head of its first request, is complete.
    pub handshake_ms: u64,
    /// For a connection to a scheduler or a dashboard.
    pub connect_ms: u64,
    /// How long an HTTP connection may wait for its next request.
    pub keep_alive_ms: u64,
    /// How long a request waits for a gateway that is away.
    pub gateway_wait_ms: u64,
    /// How long, in all, a request's body may keep us waiting. Besides, it must come at a least rate.
    pub body_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            handshake_ms: 10_000,
            connect_ms: 10_000,
            keep_alive_ms: 75_000,
            gateway_wait_ms: 2_000,
            body_ms: 120_000,
        }
    }
}

impl Timeouts {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    pub(crate) fn body(&self) -> Duration {
        Duration::from_millis(self.body_ms)
    }

    pub(crate) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }
}

/// How to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyConfig {
    /// The path everything is served under: empty, or like `/services/dask-gateway`.
    #[serde(default)]
    pub prefix: String,
    /// Where the API is.
    pub api: Api,
    /// A file with the secret that the gateway's socket asks for (see [`crate::GATEWAY_SECRET`]): whoever can connect to the socket is not
    /// yet this proxy. Read again with every new connection.
    #[serde(default)]
    pub gateway_secret: Option<PathBuf>,
    /// Where the key ring is.
    pub keys: Keys,
    /// With it the public port speaks HTTPS, and plain HTTP is refused there.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Dashboards ask for sign-in (at the API) instead of carrying their key in the path.
    #[serde(default)]
    pub sign_in: bool,
    /// The scheme that browsers come by, where somebody before this proxy ends HTTPS: cookies go by it. None = HTTPS where `tls` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_scheme: Option<Scheme>,
    /// The host that browsers come by, as `external_scheme` is known from: it is taken in a request's `Host` beside addresses and
    /// `localhost`, where `local_peers` looks at that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_host: Option<String>,
    /// Proxies before this one, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<Network>,
    /// What a connection of this machine with itself is good for.
    #[serde(default, skip_serializing_if = "LocalPeers::is_default")]
    pub local_peers: LocalPeers,
    /// Time limits.
    #[serde(default)]
    pub timeouts: Timeouts,
}

impl ProxyConfig {
    /// Plain HTTP without a prefix, links with keys, and nobody before this proxy.
    pub fn new(api: Api, keys: impl Into<Keys>) -> Self {
        ProxyConfig {
            prefix: String::new(),
            api,
            gateway_secret: None,
            keys: keys.into(),
            tls: None,
            sign_in: false,
            external_scheme: None,
            external_host: None,
            trusted_proxies: Vec::new(),
            local_peers: LocalPeers::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// How a URL begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Scheme {
    Http,
    Https,
}

/// What a connection of this machine with itself is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalPeers {
    /// Nothing in particular: people sign in.
    #[default]
    Strangers,
    /// The system user who connects is signed in by that: such requests are answered only where their `Host` is no foreign name, which
    /// a web page could have led to this machine (DNS rebinding).
    Known,
    /// Nobody signs in: only connections of this process's own system user, and of the superuser, are answered over HTTP at the
    /// public address; and as with `Known`.
    OwnOnly,
}

impl LocalPeers {
    fn is_default(&self) -> bool {
        *self == LocalPeers::default()
    }
}

/// The sockets, bound by the caller.
#[derive(Debug)]
pub struct Listeners {
    /// HTTP, HTTPS, dashboards and the relay.
    pub public: TcpListener,
    /// The relay alone.
    pub relay: Option<TcpListener>,
    /// The API alone, always plain HTTP: for schedulers of the same machine.
    pub internal: Option<TcpListener>,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Malformed prefix.
    #[error("`prefix` must be empty, or start with `/` and not end with it; it is `{0}`")]
    Prefix(String),
    /// Missing or malformed key ring.
    #[error("the key ring cannot be used: {0}")]
    Keys(String),
    /// Sign-in to dashboards without anybody who could sign them in.
    #[error("`sign_in` needs the API behind this proxy, or its address: somebody must sign visitors in")]
    SignIn,
    /// Missing or malformed certificate or key.
    #[error("`tls_cert` and `tls_key` cannot be used: {0}")]
    Tls(String),
}
