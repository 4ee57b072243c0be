//! One of the two gateways, running.

use crate::failure::{Context, Failure, Outcome};
use crate::http::{self, PASSWORD};
use crate::issuer::AUDIENCE;
use crate::processes::{self, GATEWAY_MARK, TASK_MARK};
use crate::setup::Setup;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(120);
/// Longer than any run: no cluster shall be judged while it is measured.
const NEVER_S: u32 = 86_400;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// `dask-gateway-server`.
    Official,
    /// `faregate serve`.
    Ours,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Official => "official",
            Kind::Ours => "ours",
        }
    }
}

/// What its clusters are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedulers {
    /// [`crate::stand_in`].
    StandIns,
    /// Real ones.
    Dask,
}

/// A running gateway. Dropped, it is killed with all it started.
pub struct Gateway {
    /// Which.
    pub kind: Kind,
    /// Its public address.
    pub address: SocketAddr,
    /// The process that listens there.
    pub proxy: i32,
    dir: PathBuf,
    mark: String,
    main: Child,
}

impl Gateway {
    /// Starts one and waits until it answers at its public address.
    pub async fn start(setup: &Setup, kind: Kind, schedulers: Schedulers) -> Outcome<Gateway> {
        let (mark, dir) = setup.new_gateway(kind.name())?;
        let reports = dir.join("stand-ins");
        let made = std::fs::create_dir(&reports)
            .and_then(|()| std::fs::set_permissions(&reports, Permissions::from_mode(0o1777)));
        made.context(|| format!("`{}` cannot be made", reports.display()))?;
        let (mut command, known) = match kind {
            Kind::Official => official(setup, &dir, &mark, schedulers)?,
            Kind::Ours => (ours(setup, &dir, &mark, schedulers)?, None),
        };
        let log = |name: &str| File::create(dir.join(name)).context(|| format!("no log in `{}`", dir.display()));
        let main = command
            .env(GATEWAY_MARK, &mark)
            .env("TMPDIR", &dir)
            .env_remove("RUST_LOG")
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(log("out.log")?)
            .stderr(log("err.log")?)
            .spawn()
            .context(|| format!("{command:?} cannot be run"))?;
        let mut gateway = Gateway { kind, address: (Ipv4Addr::LOCALHOST, 0).into(), proxy: 0, dir, mark, main };
        if let Err(failure) = gateway.wait_until_ready(known).await {
            return Err(Failure::new(format!("{failure}; its log ends:\n{}", gateway.last_words())));
        }
        Ok(gateway)
    }

    async fn wait_until_ready(&mut self, known: Option<SocketAddr>) -> Outcome<()> {
        let deadline = Instant::now() + START;
        let request = http::request("GET", "/api/version", "", None);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.main.try_wait() {
                return Err(Failure::new(format!("the {} gateway ended by itself: {status}", self.kind.name())));
            }
            if let Some(address) = known.or_else(|| announced(&self.dir))
                && http::once(address, &request).await.is_ok()
                && let Some(proxy) = processes::listener(&self.processes(), address.port())
            {
                (self.address, self.proxy) = (address, proxy);
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::new(format!("the {} gateway did not get ready in {} s", self.kind.name(), START.as_secs())))
    }

    /// The end of what it logged.
    pub fn last_words(&self) -> String {
        let text = ["out.log", "err.log"].map(|name| std::fs::read_to_string(self.dir.join(name)).unwrap_or_default());
        let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The data directory of ours.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where its stand-ins report.
    pub fn reports(&self) -> PathBuf {
        self.dir.join("stand-ins")
    }

    /// All processes it consists of; not its tasks.
    pub fn processes(&self) -> Vec<i32> {
        processes::marked(GATEWAY_MARK, &self.mark)
    }

    /// Its tasks.
    pub fn tasks(&self) -> Vec<i32> {
        processes::marked(TASK_MARK, &self.mark)
    }

    /// CPU seconds of all its processes until now.
    pub fn cpu(&self) -> Cpu {
        Cpu(processes::cpu_seconds(&self.processes()))
    }

    /// CPU seconds of its proxy until now.
    pub fn proxy_cpu(&self) -> Cpu {
        Cpu(processes::cpu_seconds(&[self.proxy]))
    }

    /// Waits until it has nothing more to do (or does not stop doing something for five seconds).
    pub async fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut before = self.cpu();
        while Instant::now() < deadline {
            sleep(Duration::from_millis(200)).await;
            let now = self.cpu();
            if now.since(&before) < 0.015 {
                return;
            }
            before = now;
        }
    }

    /// Stops it in good order, with all its clusters.
    pub async fn stop(mut self) -> Outcome<()> {
        processes::signal(self.main.id() as i32, Signal::TERM);
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            let ended = self.main.try_wait().is_ok_and(|status| status.is_some());
            if ended && self.processes().is_empty() && self.tasks().is_empty() {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(Failure::new(format!("the {} gateway did not stop in {} s", self.kind.name(), STOP.as_secs())))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        processes::kill_all_of(&self.mark);
        let _ = self.main.wait();
    }
}

/// CPU seconds by process.
pub struct Cpu(BTreeMap<i32, f64>);

impl Cpu {
    /// What was used since then. Processes that are new count whole.
    pub fn since(&self, before: &Cpu) -> f64 {
        self.0.iter().map(|(pid, seconds)| seconds - before.0.get(pid).unwrap_or(&0.0)).sum()
    }
}

/// The address in the line that says that ours is ready.
fn announced(dir: &Path) -> Option<SocketAddr> {
    let text = std::fs::read_to_string(dir.join("out.log")).ok()?;
    let rest = text.split_once("faregate is ready at http://")?.1;
    rest.split_once('\n')?.0.trim().trim_end_matches('/').parse().ok()
}

/// Defaults as it has them, save what a measurement needs: long timeouts, our scheduler, sessions that last.
fn official(setup: &Setup, dir: &Path, mark: &str, schedulers: Schedulers) -> Outcome<(Command, Option<SocketAddr>)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = port.context(|| "there is no free port".to_owned())?;
    let clusters = dir.join("clusters");
    std::fs::create_dir(&clusters).context(|| format!("`{}` cannot be made", clusters.display()))?;
    let (scheduler, worker) = commands(setup, dir, schedulers);
    let modules = dir.join("modules");
    std::fs::create_dir(&modules)
        .and_then(|()| std::fs::write(modules.join("sitecustomize.py"), include_str!("official_tasks.py")))
        .context(|| format!("`{}` cannot be made", modules.display()))?;
    let text = format!(
        r#"c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
c.Proxy.address = "{address}"
c.SimpleAuthenticator.cache_max_age = {NEVER_S}
c.SimpleAuthenticator.password = "{PASSWORD}"
c.UnsafeLocalBackend.clusters_directory = {clusters:?}
c.UnsafeLocalBackend.cluster_start_timeout = {NEVER_S}
c.UnsafeLocalBackend.cluster_heartbeat_timeout = {NEVER_S}
c.ClusterConfig.scheduler_cmd = {scheduler:?}
c.ClusterConfig.worker_cmd = {worker:?}
c.ClusterConfig.environment = {{"{TASK_MARK}": "{mark}", "TMPDIR": {tmp:?}, "DASK_TEMPORARY_DIRECTORY": {tmp:?},
    "PYTHONPATH": {modules:?}}}
"#,
        tmp = dir,
    );
    let config = write_config(dir, "official.py", &text)?;
    let mut command = Command::new(setup.python.bin().join("dask-gateway-server"));
    command.arg("--config").arg(config);
    Ok((command, Some(address)))
}

fn ours(setup: &Setup, dir: &Path, mark: &str, schedulers: Schedulers) -> Outcome<Command> {
    let (scheduler, worker) = commands(setup, dir, schedulers);
    let text = format!(
        r#"create_burst = 0
scheduler_cmd = {scheduler:?}
worker_cmd = {worker:?}
cluster_start_timeout = {NEVER_S}
cluster_heartbeat_timeout = {NEVER_S}
scheduler_busy_timeout = {NEVER_S}
environment = {{ {TASK_MARK} = "{mark}", TMPDIR = {tmp:?}, DASK_TEMPORARY_DIRECTORY = {tmp:?} }}
[auth]
methods = ["tokens", "jwt", "basic"]
[auth.jwt]
issuer = "{issuer}"
audience = "{AUDIENCE}"
jwks_url = "{issuer}/keys"
[auth.basic]
password = "{PASSWORD}"
"#,
        tmp = dir,
        issuer = setup.issuer.url,
    );
    let config = write_config(dir, "faregate.toml", &faregate_tests::server::with_own_uids(&text))?;
    let mut command = Command::new(&setup.faregate);
    command.args(["serve", "--address", "127.0.0.1:0", "--data-dir"]).arg(dir.join("data"));
    command.arg("--config").arg(config).arg("--python").arg(setup.python.dir());
    Ok(command)
}

fn write_config(dir: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = dir.join(name);
    std::fs::write(&path, text).context(|| format!("`{}` cannot be written", path.display()))?;
    Ok(path)
}

/// The commands of scheduler and worker.
fn commands(setup: &Setup, dir: &Path, schedulers: Schedulers) -> (Vec<String>, Vec<String>) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let dask = text(&setup.python.bin().join("dask"));
    let worker = vec![dask.clone(), "worker".to_owned()];
    match schedulers {
        Schedulers::Dask => (vec![dask, "scheduler".to_owned()], worker),
        Schedulers::StandIns => {
            let scheduler = [text(&setup.bench), "stand-in".to_owned(), text(&dir.join("stand-ins"))];
            (scheduler.to_vec(), worker)
        }
    }
}
