//! A gateway in this process over the embedded store, whose schedulers and workers are light processes.

use super::{Failures, Host, People, Running, choices};
use crate::api::QuietRoutes;
use crate::contended::Contended;
use crate::server::PATIENCE;
use faregate_cli::demo::leftovers;
use faregate_cli::wakes::LocalWakes;
use faregate_core::command::Listen;
use faregate_core::model::{ClusterConfig, ClusterName, Policy, TaskFacts, TaskRole};
use faregate_core::ports::Ports;
use faregate_dask::HttpSchedulers;
use faregate_gateway::{ClusterSettings, Enforcer, Reconciler, Services, TaskEvents};
use faregate_keys::KeyRing;
use faregate_machine::Machine;
use faregate_processes::{ProcessLauncher, Settings};
use faregate_sqlite::SqliteStore;
use faregate_world::Dice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

/// Turns at once.
const WAKES_AT_ONCE: usize = 4;
/// Between two passes, and two recounts.
const PASS: Duration = Duration::from_millis(500);

/// The programs.
pub struct Programs {
    /// Supervises tasks, as `<program> task <directory>`.
    pub supervisor: PathBuf,
    /// `light-dask`.
    pub dask: PathBuf,
}

/// The gateway. Dropped, its processes are killed.
pub struct Local {
    /// What the storm blows over.
    pub host: Host,
    /// Counters that were found wrong by recounts.
    pub repaired: Arc<AtomicUsize>,
    loops: JoinSet<()>,
    dir: TempDir,
}

impl Local {
    /// Starts it; so many of a hundred writes meet other transactions.
    pub async fn start(programs: &Programs, people: &People, contention_percent: u32) -> Local {
        let dir = tempfile::Builder::new().prefix("faregate-storm-").tempdir().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(&programs.dask, bin.join("dask")).unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("store.sqlite")).unwrap());
        let launcher = ProcessLauncher::open(Settings {
            supervisor: vec![programs.supervisor.clone().into(), "task".into()],
            remover: vec![programs.supervisor.clone().into(), "remove".into()],
            measurer: vec![programs.supervisor.clone().into(), "measure".into()],
            bin: Some(bin),
            sigint_timeout: Duration::from_secs(1),
            sigterm_timeout: Duration::from_secs(1),
            ..Settings::new(dir.path().join("data"))
        });
        let launcher = Arc::new(launcher.await.unwrap());
        let (ring, wakes) = (KeyRing::from_random(&[7; 64]), Arc::new(LocalWakes::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_url = format!("http://{}/api", listener.local_addr().unwrap());
        let dice = Mutex::new(Dice::new(contention_percent.into()));
        let ports = Ports {
            store: Arc::new(Contended {
                inner: store.clone(),
                meets: Box::new(move |_| dice.lock().unwrap().percent(contention_percent)),
            }),
            wakes: wakes.clone(),
            launcher: launcher.clone(),
            schedulers: Arc::new(HttpSchedulers::new(Duration::from_secs(5))),
            routes: Arc::new(QuietRoutes::default()),
            host: Arc::new(Machine::default()),
        };
        let settings = ClusterSettings {
            options: choices(),
            base: ClusterConfig::default(),
            api_url: api_url.clone(),
            listen: Listen::loopback(),
            check_launch: |_| Ok(()),
        };
        let services = Services::new(ports, ring.clone(), policy(), settings);
        let failures = Failures::default();
        let router = failures.router(services.gateway.clone(), store.clone(), people);
        let mut loops = JoinSet::new();
        for _ in 0..WAKES_AT_ONCE {
            loops.spawn(take_wakes(services.reconciler.clone(), wakes.clone()));
        }
        let repaired = Arc::new(AtomicUsize::new(0));
        loops.spawn(take_events(services.task_events, launcher.events()));
        loops.spawn(enforce(services.enforcer, repaired.clone()));
        let served = router.clone();
        loops.spawn(async move { axum::serve(listener, served).await.unwrap() });
        let running: Running = Arc::new(move || running(&api_url));
        let host = Host { router, store, ring, running, failures, pace: Duration::from_millis(500) };
        Local { host, repaired, loops, dir }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.loops.abort_all();
        let deadline = Instant::now() + PATIENCE;
        while leftovers::kill(self.dir.path()) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// One machine's, in more of a hurry where somebody waits for something that comes by itself.
fn policy() -> Policy {
    Policy {
        heartbeat_period_ms: 500,
        room_retry_ms: 300,
        check_ms: 500,
        scheduler_call_ms: 3_000,
        ..Policy::default()
    }
}

async fn take_wakes(reconciler: Arc<Reconciler>, wakes: Arc<LocalWakes>) {
    loop {
        let wake = wakes.next().await;
        let well = reconciler.reconcile(&wake).await.is_ok();
        wakes.done(wake, well);
    }
}

/// Until each is taken in.
async fn take_events(task_events: Arc<TaskEvents>, mut events: UnboundedReceiver<TaskFacts>) {
    while let Some(facts) = events.recv().await {
        while task_events.apply(&facts).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn enforce(enforcer: Arc<Enforcer>, repaired: Arc<AtomicUsize>) {
    let since = faregate_machine::now();
    loop {
        tokio::time::sleep(PASS).await;
        enforcer.enforce(since).await.unwrap();
        repaired.fetch_add(enforcer.recount_active().await.unwrap(), Ordering::SeqCst);
    }
}

/// The processes of this gateway's tasks, all of which ran at the same moment: the one between the two looks.
fn running(api_url: &str) -> Vec<(ClusterName, TaskRole)> {
    let ours = format!("DASK_GATEWAY_API_URL={api_url}");
    let processes = Path::new("/proc").read_dir().unwrap().flatten();
    let found: Vec<_> = processes.filter_map(|entry| Some((entry.path(), look(&entry.path(), &ours)?))).collect();
    found.into_iter().filter(|(path, seen)| look(path, &ours).as_ref() == Some(seen)).map(|(_, seen)| seen.1).collect()
}

/// A process's environment, if it is one of ours, and what it is.
fn look(process: &Path, ours: &str) -> Option<(Vec<u8>, (ClusterName, TaskRole))> {
    let environment = std::fs::read(process.join("environ")).ok()?;
    let variables = || environment.split(|byte| *byte == 0).filter_map(|line| std::str::from_utf8(line).ok());
    variables().find(|line| *line == ours)?;
    let name = variables().find_map(|line| line.strip_prefix("DASK_GATEWAY_CLUSTER_NAME="))?.parse().ok()?;
    let command = std::fs::read(process.join("cmdline")).ok()?;
    let role = match command.split(|byte| *byte == 0).nth(1)? {
        b"scheduler" => TaskRole::Scheduler,
        b"worker" => TaskRole::Worker,
        _ => return None,
    };
    Some((environment, (name, role)))
}
