//! The proxy as a process: what it is started with, and how the gateway finds one that already runs.

use crate::accept::raise_descriptor_limit;
use crate::config::{ConfigError, Listeners, ProxyConfig};
use crate::front::Front;
use crate::routes::{FileRoutes, replace};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};
use tokio::net::TcpListener;

/// Everything a proxy process needs, written to a file by the gateway that starts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxySpec {
    /// Routes are read in `routes` under it, and `proxy.json` is written there.
    pub data_dir: PathBuf,
    /// The public address. Port 0 picks a free one.
    pub address: SocketAddr,
    /// An address for the relay alone, besides the public one.
    #[serde(default)]
    pub relay_address: Option<SocketAddr>,
    /// A loopback address for the API alone, always plain HTTP: for schedulers of the same machine.
    #[serde(default)]
    pub internal_address: Option<SocketAddr>,
    /// How to serve.
    #[serde(flatten)]
    pub config: ProxyConfig,
}

/// A proxy that runs, as it says in `proxy.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyInfo {
    /// Its process.
    pub pid: i32,
    /// When that started, in clock ticks since boot (field 22 of `/proc/<pid>/stat`): a pid alone may be another's.
    pub started: u64,
    /// The version of this crate that it runs.
    pub version: String,
    /// Its public address, port resolved.
    pub address: SocketAddr,
    /// Its address for the relay alone, port resolved.
    pub relay_address: Option<SocketAddr>,
    /// Its address for schedulers, port resolved.
    pub internal_address: Option<SocketAddr>,
    /// Its [`ProxyConfig`], as JSON: older and newer versions may know other fields.
    pub config: serde_json::Value,
}

impl ProxyInfo {
    /// Does the proxy serve what `spec` asks for? Port 0 is content with any port.
    pub fn serves(&self, spec: &ProxySpec) -> bool {
        let fits = |want: SocketAddr, is: SocketAddr| want == is || (want.port() == 0 && want.ip() == is.ip());
        let optional = |want: Option<SocketAddr>, is: Option<SocketAddr>| match (want, is) {
            (None, None) => true,
            (Some(want), Some(is)) => fits(want, is),
            _ => false,
        };
        fits(spec.address, self.address)
            && optional(spec.relay_address, self.relay_address)
            && optional(spec.internal_address, self.internal_address)
            && serde_json::to_value(&spec.config).is_ok_and(|config| config == self.config)
    }
}

/// Why the proxy did not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The specification is not there, or malformed.
    #[error("the proxy's specification `{path}` cannot be read: {cause}", path = .0.display(), cause = .1)]
    Spec(PathBuf, String),
    /// An address is taken, or not ours.
    #[error("the proxy cannot listen at `{0}`: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// A file of the data directory cannot be written.
    #[error("the proxy cannot use `{path}`: {1}", path = .0.display())]
    Data(PathBuf, #[source] io::Error),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The whole life of a proxy process: reads a [`ProxySpec`] (JSON) from `path`, binds, writes `proxy.json`, serves
/// until `shutdown` resolves, removes `proxy.json`.
///
/// Best run on a `current_thread` runtime: with several threads, those that have nothing to do are woken by every event
/// of a busy relay, which costs a tenth to a third more CPU.
pub async fn serve_from_file(path: &Path, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    let malformed = |cause: String| ServeError::Spec(path.to_owned(), cause);
    let bytes = fs::read(path).map_err(|e| malformed(e.to_string()))?;
    let spec: ProxySpec = serde_json::from_slice(&bytes).map_err(|e| malformed(e.to_string()))?;
    let data = |path: &Path, e: io::Error| ServeError::Data(path.to_owned(), e);

    let (public, address) = bind(spec.address).await?;
    let (relay, relay_address) = bind_optional(spec.relay_address).await?;
    let (internal, internal_address) = bind_optional(spec.internal_address).await?;
    let routes_dir = spec.data_dir.join("routes");
    let routes = FileRoutes::open(&routes_dir).map_err(|e| data(&routes_dir, e))?;
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let info_path = info_path(&spec.data_dir);
    let info = ProxyInfo {
        pid,
        started: own_start_time(pid).map_err(|e| data(Path::new("/proc/self/stat"), e))?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address,
        relay_address,
        internal_address,
        config: serde_json::to_value(&spec.config).map_err(|e| malformed(e.to_string()))?,
    };
    let json = serde_json::to_vec_pretty(&info).map_err(|e| malformed(e.to_string()))?;
    let limit = raise_descriptor_limit();
    let (front, _) = Front::open(spec.config, Arc::new(routes).into(), limit)?;
    replace(&info_path, &json).map_err(|e| data(&info_path, e))?;
    tracing::info!(%address, ?relay_address, ?internal_address, "proxy started");
    crate::serve(Arc::new(front), Listeners { public, relay, internal }, limit, shutdown).await;
    // Ours alone: a successor may have written its own by now.
    if matches!(read_info(&spec.data_dir), Ok(Some(now)) if now == info) {
        fs::remove_file(&info_path).map_err(|e| data(&info_path, e))?;
    }
    Ok(())
}

/// Would [`serve_from_file`] serve this? Reads what the configuration names, and binds each address for a moment whose port is not
/// among `taken`: those that a proxy has which is about to make way.
pub fn try_out(spec: &ProxySpec, taken: &[u16]) -> Result<(), ServeError> {
    let addresses = [Some(spec.address), spec.relay_address, spec.internal_address].into_iter().flatten();
    for address in addresses.filter(|address| !taken.contains(&address.port())) {
        std::net::TcpListener::bind(address).map_err(|e| ServeError::Bind(address, e))?;
    }
    let routes_dir = spec.data_dir.join("routes");
    let routes = FileRoutes::open(&routes_dir).map_err(|e| ServeError::Data(routes_dir.clone(), e))?;
    Front::open(spec.config.clone(), Arc::new(routes).into(), raise_descriptor_limit())?;
    Ok(())
}

/// The proxy that serves this data directory, if one is alive. An error (no file descriptor is left, say) is no sign that none is.
pub fn running(data_dir: &Path) -> io::Result<Option<ProxyInfo>> {
    let Some(info) = read_info(data_dir)? else { return Ok(None) };
    let is_alive = start_time(info.pid)? == Some(info.started);
    Ok(Some(info).filter(|_| is_alive))
}

fn info_path(data_dir: &Path) -> PathBuf {
    data_dir.join("proxy.json")
}

fn read_info(data_dir: &Path) -> io::Result<Option<ProxyInfo>> {
    match fs::read(info_path(data_dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        json => Ok(serde_json::from_slice(&json?).map(Some)?),
    }
}

fn own_start_time(pid: i32) -> io::Result<u64> {
    start_time(pid)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// When a process started, in clock ticks since boot; none for one that is gone, or a zombie.
fn start_time(pid: i32) -> io::Result<Option<u64>> {
    let stat = match fs::read(format!("/proc/{pid}/stat")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(&error) == Some(Errno::SRCH) => {
            return Ok(None);
        }
        stat => String::from_utf8_lossy(&stat?).into_owned(),
    };
    let nonsense = || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat makes no sense: {stat}"));
    // The second field is a command in parentheses, and may hold anything: count from its end.
    let mut fields = stat.rsplit_once(')').ok_or_else(nonsense)?.1.split_ascii_whitespace();
    match fields.next().ok_or_else(nonsense)? {
        "Z" | "X" | "x" => Ok(None),
        _ => fields.nth(18).and_then(|start| start.parse().ok()).ok_or_else(nonsense).map(Some),
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |e| ServeError::Bind(address, e);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn bind_optional(address: Option<SocketAddr>) -> Result<(Option<TcpListener>, Option<SocketAddr>), ServeError> {
    let Some(address) = address else { return Ok((None, None)) };
    let (listener, bound) = bind(address).await?;
    Ok((Some(listener), Some(bound)))
}
