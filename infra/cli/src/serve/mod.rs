//! `faregate serve`: puts the gateway together on this machine, and takes it apart again in order.

mod data_dir;
mod free_port;
mod gateway_secret;
mod http;
mod inventory;
mod key_file;
mod limits;
mod loops;
mod notify;
mod open;
mod proxy;
mod room;
mod separation;
mod shutdown;
mod socket;
mod sparing;

pub use data_dir::{DataDir, DataDirError};
pub use free_port::free_port;
pub(crate) use inventory::fingerprints;
pub(crate) use key_file::{read_key_ring, write_key_ring};
pub(crate) use shutdown::Signals;

use crate::config::Config;
use crate::paths::variable;
use crate::python::{self, PythonEnv, PythonError};
use faregate_api::router;
use faregate_auth as auth;
use faregate_core::model::Ms;
use faregate_core::options::InvalidDeclaration;
use faregate_core::ports::Ports;
use faregate_machine::now;
use faregate_proxy::raise_descriptor_limit;
use proxy::Proxy;
use rustix::fs::Mode;
use rustix::process::{geteuid, umask};
use separation::{SeparationError, Wanted};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// At its end the gateway waits so long for files of clusters to be removed; the next start goes on with what is left.
const REMOVAL: Duration = Duration::from_secs(5);

/// The gateway could not be put together, or ended other than it was told to.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each says what failed
pub enum ServeError {
    #[error(
        "the address {0} can be reached from other machines, and no way to sign in is configured. hint: set `methods` under `[auth]`"
    )]
    Open(SocketAddr),
    #[error("there is no place for the data directory: set `HOME`, or give one with `--data-dir DIR`")]
    NoHome,
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Separation(#[from] SeparationError),
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Options(#[from] InvalidDeclaration),
    #[error(transparent)]
    Store(#[from] faregate_sqlite::OpenError),
    #[error(transparent)]
    Launcher(#[from] faregate_processes::OpenError),
    #[error(transparent)]
    Limits(#[from] limits::LimitsError),
    #[error("the routes `{}` cannot be used", .path.display())]
    Routes { path: PathBuf, source: io::Error },
    #[error("the data directory `{}` cannot be looked through", .path.display())]
    Inventory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Incomplete(#[from] inventory::Incomplete),
    #[error("the records cannot be read")]
    Records(#[from] faregate_core::ports::StoreError),
    #[error("there is no place for the gateway's socket")]
    Socket(#[source] io::Error),
    #[error(transparent)]
    Proxy(#[from] proxy::ProxyError),
    #[error(transparent)]
    SignIn(#[from] auth::OpenError),
    #[error("the secret of the gateway's socket cannot be read or written")]
    Secret(#[source] io::Error),
    #[error("the gateway cannot listen at `{}`", .path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("the gateway's server failed")]
    Server(#[source] io::Error),
    #[error("the gateway cannot run")]
    Runtime(#[source] io::Error),
    #[error("{0} clusters did not come to rest; the next start will go on with them")]
    Restless(usize),
}

impl ServeError {
    /// The process's exit code: 2 when the configuration is wrong, which another start does not change (systemd makes none then), else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::Open(_) | ServeError::NoHome | ServeError::Options(_) => 2,
            ServeError::SignIn(auth::OpenError::Config(_)) => 2,
            ServeError::Separation(error) if error.is_of_the_configuration() => 2,
            _ => 1,
        }
    }
}

/// Serves until SIGTERM or SIGINT.
pub fn run(config: Config) -> Result<(), ServeError> {
    run_with(config, |ports| ports)
}

/// The same, with what the core is given of the world wrapped by the caller.
pub fn run_with(config: Config, wrap: impl FnOnce(Ports) -> Ports) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    let result = runtime.block_on(serve(config, wrap));
    // what still holds a thread must not hold the exit
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// In one piece, though long: the order of its steps, each of which needs what came before, is what there is to read here.
async fn serve(config: Config, wrap: impl FnOnce(Ports) -> Ports) -> Result<(), ServeError> {
    let since = now();
    check_open(&config)?;
    let wanted = Wanted::of(&config, geteuid().is_root())?;
    wanted.say(&config);
    let mut signals = Signals::listen().map_err(ServeError::Runtime)?;
    let data = DataDir::open(&data_path(&config)?, wanted.changes_user())?;
    wanted.try_way(&data)?;
    let python = tokio::select! {
        python = python(&config) => python?,
        () = signals.next() => return Ok(()),
    };
    let separation = wanted.established(&data, &python)?;
    // whatever is made from here on is ours alone; tasks have the mask that we were started with
    let mask = umask(Mode::from_raw_mode(0o077)).as_raw_mode();
    let tasks = open::Tasks { separation, umask: mask };
    // everything that can fail comes before the proxy, so that a start that fails leaves nothing running
    let opened = open::open(&data, &config, &python, tasks).await?;
    let secret = data.gateway_secret().map_err(ServeError::Secret)?;
    // every request takes a descriptor, and so does every task; the tasks' own limit is settled by now, and stays as it was
    let descriptors = raise_descriptor_limit().count();
    let socket = socket::path(&data).map_err(ServeError::Socket)?;
    let listener = http::listen(&socket).map_err(|source| ServeError::Listen { path: socket.clone(), source })?;
    let mut proxy = Proxy::open(&data, &config, &socket).await?;
    let built = opened.assemble(&config, proxy.api_url(), wrap);
    let disk = room::Disk { least_free: config.gateway.min_free_disk, most_a_cluster: config.gateway.cluster_max_disk };
    let loops = loops::start(&built.world, &data, period(config.gateway.check_period_ms), disk, since);

    let closing = Arc::new(AtomicBool::new(false));
    let (close, closed) = oneshot::channel::<()>();
    let shut = async { drop(closed.await) };
    let mut server = tokio::spawn(http::serve(
        listener,
        gateway_secret::required(router(built.app), secret),
        closing.clone(),
        descriptors,
        shut,
    ));
    announce(&config, proxy.address());
    notify::notify(notify::READY);

    let failed = tokio::select! {
        ended = &mut server => Some(ended.unwrap_or_else(|panic| Err(io::Error::other(panic)))),
        never = proxy.watch() => match never {},
        () = signals.next() => None,
    };
    if let Some(ended) = failed {
        return Err(ServeError::Server(ended.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())));
    }
    notify::notify(notify::STOPPING);
    let deadline = shutdown::deadline(period(config.gateway.sigint_timeout_ms + config.gateway.sigterm_timeout_ms));
    let mut left = 0;
    if config.gateway.stop_clusters_on_shutdown {
        tracing::info!("shutdown: stopping all clusters; a second signal waits no longer");
        closing.store(true, Ordering::Relaxed);
        left = tokio::select! {
            left = shutdown::stop_clusters(&built.world, deadline) => left,
            never = proxy.watch() => match never {},
            () = signals.next() => built.world.active().await,
        };
    }
    drop(loops);
    let _ = close.send(());
    // a request may be waiting for news of a cluster
    let _ = tokio::time::timeout(Duration::from_secs(2), server).await;
    if config.gateway.stop_clusters_on_shutdown {
        proxy.stop(left == 0).await?;
    }
    built.world.launcher.settle(REMOVAL).await;
    socket::remove(&data, &socket);
    shutdown::close_store(&built.world.store, deadline).await;
    tracing::info!(clusters = left, "gateway stopped");
    if left > 0 { Err(ServeError::Restless(left)) } else { Ok(()) }
}

/// Nobody shall be open to the network.
fn check_open(config: &Config) -> Result<(), ServeError> {
    if !config.auth.methods.is_empty() {
        return Ok(());
    }
    let reachable = [Some(config.gateway.address), config.gateway.proxy_address].into_iter().flatten();
    if let Some(address) = reachable.into_iter().find(|address| !address.ip().is_loopback()) {
        return Err(ServeError::Open(address));
    }
    let address = config.gateway.address;
    let uid = geteuid().as_raw();
    tracing::warn!(%address, uid, "no way to sign in is configured: only processes of this system user and of root are let in");
    Ok(())
}

/// Where the data directory is: as configured; as root below /var/lib, where the tasks of others can reach it, unless there is one in
/// root's home already.
pub fn data_path(config: &Config) -> Result<PathBuf, ServeError> {
    if let Some(path) = &config.gateway.data_dir {
        return Ok(path.clone());
    }
    let chosen = variable("XDG_DATA_HOME").map(|share| share.join("faregate"));
    let in_home = chosen.clone().or_else(|| Some(variable("HOME")?.join(".local/share/faregate")));
    let is_used = |path: &PathBuf| chosen.is_some() || path.join("keys.json").exists();
    match geteuid().is_root() {
        true => Ok(in_home.filter(is_used).unwrap_or_else(|| PathBuf::from("/var/lib/faregate"))),
        false => in_home.ok_or(ServeError::NoHome),
    }
}

/// The configured Python environment, or the one that is kept, made now if need be.
async fn python(config: &Config) -> Result<PythonEnv, PythonError> {
    if let Some(dir) = &config.gateway.python {
        return PythonEnv::existing(dir);
    }
    let spec = python::Spec::default_in_cache()?;
    let making =
        tokio::task::spawn_blocking(move || python::ensure(&spec, &|step| tracing::info!(step, "python environment")));
    making.await.unwrap_or_else(|panic| Err(PythonError::Panicked(panic.to_string())))
}

/// The one line on standard output.
fn announce(config: &Config, address: SocketAddr) {
    let scheme = if config.gateway.tls_cert.is_some() { "https" } else { "http" };
    let line = format!("faregate is ready at {scheme}://{address}{}\n", config.gateway.prefix);
    let mut out = io::stdout().lock();
    // nobody has to listen
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn period(ms: Ms) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}
