//! The proxy's process: started or taken over, watched, brought back. It outlives the gateway, because whoever ends a relay cancels
//! the computations of those who wait behind it.

use super::data_dir::{DataDir, write_private};
use super::free_port::free_port;
use super::gateway_secret::GATEWAY_SECRET_FILE;
use crate::config::Config;
use crate::logs::{last_lines, length};
use faregate_auth as auth;
use faregate_proxy::control::{ProxyInfo, ProxySpec, running};
use faregate_proxy::{Api, LocalPeers, ProxyConfig, TlsFiles};
use rustix::process::{Pid, Signal, kill_process};
use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks at a proxy.
const LOOK: Duration = Duration::from_millis(100);
/// A proxy that was started listens within this time.
const START: Duration = Duration::from_secs(20);
/// A proxy that was told to stop is killed after this time.
const STOP: Duration = Duration::from_secs(10);
/// Before a start that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Other free ports are tried when one was taken in the meantime.
const PORTS: u32 = 5;
/// A log longer than this many bytes is put aside before the next start.
const LONG_LOG: u64 = 16 << 20;

/// The proxy is not running.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A file of the data directory failed.
    #[error("the proxy's file `{}` cannot be used", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process was not started.
    #[error("the proxy's process cannot be started")]
    Spawn(#[source] io::Error),
    /// It ended at once.
    #[error("the proxy ended at its start: {0}")]
    Ended(String),
    /// It never listened.
    #[error("the proxy did not listen within {} seconds; `{}` may say why", START.as_secs(), .0.display())]
    Late(PathBuf),
    /// No free port.
    #[error("there is no free port at {0}")]
    NoPort(std::net::IpAddr),
    /// A proxy that runs would have to be ended for settings that do not work.
    #[error("the proxy that runs is left as it is, because its new configuration cannot be used")]
    Unusable(#[source] faregate_proxy::control::ServeError),
    /// Told to stop, and killed, it still runs.
    #[error("the proxy (process {0}) does not stop")]
    Unstoppable(i32),
}

/// A proxy that serves.
pub struct Proxy {
    dir: PathBuf,
    /// With every port resolved: what a proxy is brought back with.
    spec: ProxySpec,
    /// Its process, if it is our child.
    child: Option<Child>,
}

impl Proxy {
    /// Takes over the proxy that runs for this data directory if it serves what is configured; else starts one.
    ///
    /// `socket`: where the gateway's API is. Before a proxy that runs is ended, another one is tried: relays are not cut for settings that
    /// do not work. A start that fails leaves no proxy behind that it started.
    pub async fn open(data: &DataDir, config: &Config, socket: &Path) -> Result<Proxy, ProxyError> {
        let spec_path = data.file("proxy-spec.json");
        let before = match std::fs::read(&spec_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // one that cannot be understood says as little as none
            json => serde_json::from_slice::<ProxySpec>(
                &json.map_err(|source| ProxyError::File { path: spec_path, source })?,
            )
            .ok(),
        };
        let kept = before.and_then(|spec| spec.internal_address).map_or(0, |address| address.port());
        let wanted = wanted(data, config, socket, kept);
        let mut proxy = Proxy { dir: data.path().to_owned(), spec: wanted, child: None };
        if let Some(info) = look(&proxy.dir)? {
            if info.serves(&proxy.spec) {
                tracing::info!(pid = info.pid, address = %info.address, version = info.version, "proxy taken over");
                proxy.resolve(&info);
                proxy.write_spec()?;
                return Ok(proxy);
            }
            try_out(&proxy.spec, &info)?;
            tracing::warn!(
                pid = info.pid,
                "proxy restarted: its configuration has changed, and clients must reconnect"
            );
            end(&proxy.dir, info).await?;
        }
        proxy.start_anywhere().await?;
        Ok(proxy)
    }

    /// The public address.
    pub fn address(&self) -> SocketAddr {
        self.spec.address
    }

    /// Where schedulers reach the API, prefix included.
    pub fn api_url(&self) -> String {
        let address = self.spec.internal_address.unwrap_or(self.spec.address);
        format!("http://{address}{}/api", self.spec.config.prefix)
    }

    /// Brings the proxy back whenever it ends, at the same addresses. Runs until it is dropped.
    pub async fn watch(&mut self) -> Infallible {
        loop {
            sleep(LOOK).await;
            match running(&self.dir) {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "proxy watch failed; it is tried again");
                    sleep(RETRY).await;
                    continue;
                }
            }
            tracing::warn!("proxy exited; it is started again");
            while let Err(error) = self.start().await {
                tracing::error!(error = faregate_core::chain(&error), "proxy start failed; it is tried again");
                sleep(RETRY).await;
            }
        }
    }

    /// Stops the proxy, and waits for its end. With `for_good` no scheduler is left that knows its address: the next one may have
    /// another.
    pub async fn stop(mut self, for_good: bool) -> Result<(), ProxyError> {
        let known = look(&self.dir);
        let missed = match known {
            Ok(Some(info)) => end(&self.dir, info).await.err(),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        // one that was just being brought back may not have listened yet, and one whose file cannot be read is still a child of ours
        self.end_child().await?;
        if let Some(error) = missed {
            return Err(error);
        }
        let path = self.dir.join("proxy-spec.json");
        if for_good && let Err(source) = std::fs::remove_file(&path) {
            return Err(ProxyError::File { path, source });
        }
        Ok(())
    }

    /// Starts with ports of our choice where none are given; another one when somebody else was quicker.
    async fn start_anywhere(&mut self) -> Result<(), ProxyError> {
        let wanted = self.spec.clone();
        let mut tries = 0;
        loop {
            for address in
                [Some(&mut self.spec.address), self.spec.relay_address.as_mut(), self.spec.internal_address.as_mut()]
            {
                if let Some(address) = address.filter(|address| address.port() == 0) {
                    address.set_port(free_port(address.ip()).ok_or(ProxyError::NoPort(address.ip()))?);
                }
            }
            let all_given = self.spec == wanted;
            match self.start().await {
                Err(ProxyError::Ended(_)) if !all_given && tries < PORTS => {
                    tries += 1;
                    self.spec = wanted.clone();
                }
                other => return other,
            }
        }
    }

    async fn start(&mut self) -> Result<(), ProxyError> {
        self.write_spec()?;
        let log = self.dir.join("proxy.log");
        let before = length(&log);
        // the last one has ended; should it be alive all the same, two of them could not have one address
        self.end_child().await?;
        let child = self.child.insert(spawn(&self.dir.join("proxy-spec.json"), &log)?);
        let deadline = Instant::now() + START;
        loop {
            // what cannot be looked at now can be in a moment
            let now = running(&self.dir).unwrap_or(None);
            if let Some(info) = now.filter(|info| u32::try_from(info.pid) == Ok(child.id())) {
                tracing::info!(pid = info.pid, address = %info.address, "proxy started");
                self.resolve(&info);
                return Ok(());
            }
            if let Ok(Some(_)) = child.try_wait() {
                let said = last_lines(&log, before, 5);
                return Err(ProxyError::Ended(said.trim_start_matches("faregate: ").to_owned()));
            }
            if Instant::now() > deadline {
                // unable to listen, it is of no use, and must not begin to listen later
                let _ = child.kill();
                let _ = child.wait();
                return Err(ProxyError::Late(log));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills our child, if there is one that has not been waited for. Never waits without an end: the kernel may keep it.
    async fn end_child(&mut self) -> Result<(), ProxyError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // an error says that it has ended already
        let _ = child.kill();
        let deadline = Instant::now() + STOP;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let pid = child.id().cast_signed();
                self.child = Some(child);
                return Err(ProxyError::Unstoppable(pid));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn resolve(&mut self, info: &ProxyInfo) {
        self.spec.address = info.address;
        self.spec.relay_address = info.relay_address;
        self.spec.internal_address = info.internal_address;
    }

    fn write_spec(&self) -> Result<(), ProxyError> {
        let path = self.dir.join("proxy-spec.json");
        let json = serde_json::to_vec_pretty(&self.spec).map_err(io::Error::from);
        json.and_then(|json| write_private(&path, &json)).map_err(|source| ProxyError::File { path, source })
    }
}

/// Would a proxy with this specification serve? Its configuration is read, and its addresses are bound for a moment, save for ports
/// that the proxy that runs has now.
fn try_out(spec: &ProxySpec, now: &ProxyInfo) -> Result<(), ProxyError> {
    let taken: Vec<u16> = [Some(now.address), now.relay_address, now.internal_address]
        .into_iter()
        .flatten()
        .map(|address| address.port())
        .collect();
    faregate_proxy::control::try_out(spec, &taken).map_err(ProxyError::Unusable)
}

/// What the configuration asks for. `internal` is the port that schedulers were told, 0 at the first start.
fn wanted(data: &DataDir, config: &Config, socket: &Path, internal: u16) -> ProxySpec {
    let settings = &config.gateway;
    let external = settings.external_url.as_ref();
    let tls = settings.tls_cert.clone().zip(settings.tls_key.clone());
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    ProxySpec {
        data_dir: data.path().to_owned(),
        address: settings.address,
        relay_address: settings.proxy_address,
        internal_address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, internal))),
        config: ProxyConfig {
            prefix: settings.prefix.clone(),
            gateway_secret: Some(data.file(GATEWAY_SECRET_FILE)),
            tls: tls.map(|(cert, key)| TlsFiles { cert: absolute(cert), key: absolute(key) }),
            sign_in: settings.dashboard_sign_in,
            external_scheme: external.map(|url| url.scheme),
            external_host: external.map(|url| url.host.clone()),
            trusted_proxies: settings.trusted_proxies.clone(),
            local_peers: local_peers(&config.auth),
            ..ProxyConfig::new(Api::Unix(socket.to_owned()), data.file("keys.json"))
        },
    }
}

/// What it says of a caller that they are a process of this machine.
fn local_peers(auth: &auth::Config) -> LocalPeers {
    match &auth.methods[..] {
        [] => LocalPeers::OwnOnly,
        methods if methods.iter().any(|method| method == "peer") => LocalPeers::Known,
        _ => LocalPeers::Strangers,
    }
}

fn look(dir: &Path) -> Result<Option<ProxyInfo>, ProxyError> {
    running(dir).map_err(|source| ProxyError::File { path: dir.join("proxy.json"), source })
}

/// This very program (found by the kernel, also after an upgrade has replaced its file) as a proxy. It leaves our session by itself.
fn spawn(spec: &Path, log: &Path) -> Result<Child, ProxyError> {
    let failed = |source| ProxyError::File { path: log.to_owned(), source };
    if std::fs::metadata(log).is_ok_and(|log| log.len() > LONG_LOG) {
        std::fs::rename(log, log.with_extension("log.1")).map_err(failed)?;
    }
    let output = OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(failed)?;
    Command::new("/proc/self/exe")
        .arg0("faregate")
        .arg("proxy")
        .arg("--spec")
        .arg(spec)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output)
        .spawn()
        .map_err(ProxyError::Spawn)
}

/// Ends a proxy: asks first, then does not ask.
async fn end(dir: &Path, info: ProxyInfo) -> Result<(), ProxyError> {
    // one that cannot be looked at is not gone
    let gone =
        || running(dir).is_ok_and(|now| now.is_none_or(|now| (now.pid, now.started) != (info.pid, info.started)));
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(pid) = Pid::from_raw(info.pid).filter(|_| !gone()) {
            // an error says that it is gone already
            let _ = kill_process(pid, signal);
        }
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if gone() {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
    Err(ProxyError::Unstoppable(info.pid))
}
