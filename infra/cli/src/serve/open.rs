//! Opens everything that a gateway is made of, in the order in which it can be refused; then puts it together, which cannot fail.

use super::inventory::{Inventory, Records, check_keys, fingerprints};
use super::loops::World;
use super::{DataDir, ServeError, limits, period};
use crate::accounts::Accounts;
use crate::config::Config;
use crate::python::PythonEnv;
use crate::wakes::LocalWakes;
use faregate_api::{App, Dashboards};
use faregate_auth::Auth;
use faregate_auth::access::Access;
use faregate_core::command::Listen;
use faregate_core::options::Options;
use faregate_core::ports::Ports;
use faregate_dask::HttpSchedulers;
use faregate_gateway::{ClusterSettings, Services};
use faregate_keys::KeyRing;
use faregate_machine::Machine;
use faregate_processes::ProcessLauncher;
use faregate_processes::identity::Separation;
use faregate_proxy::FileRoutes;
use faregate_sqlite::SqliteStore;
use rustix::process::{Resource, geteuid, getrlimit};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

/// A question to a scheduler is given up after this time.
const QUESTION: Duration = Duration::from_secs(5);

/// What tasks get of the gateway's own.
pub struct Tasks {
    /// Who they run as.
    pub separation: Separation,
    /// Their file mode creation mask.
    pub umask: u32,
}

/// Everything, open.
pub struct Opened {
    ring: KeyRing,
    store: Arc<SqliteStore>,
    launcher: Arc<ProcessLauncher>,
    wakes: Arc<LocalWakes>,
    machine: Arc<Machine>,
    ports: Ports,
    options: Options,
    access: Arc<Access>,
    auth: Auth,
}

/// What `serve` is made of.
pub struct Built {
    pub world: World,
    pub app: App,
}

/// Opens everything, and says no to what is not as it must be.
pub async fn open(data: &DataDir, config: &Config, python: &PythonEnv, tasks: Tasks) -> Result<Opened, ServeError> {
    // first what needs nothing but the configuration
    let options = Options::declare(&config.options, &config.cluster)?;
    let (store, ring) = open_records(data).await?;
    if let Err(error) = store.keep_room(config.gateway.min_free_disk) {
        tracing::warn!(%error, "disk reserve not made");
    }
    limits::apply(data, &store, &config.limits).await?;
    let path = data.file("routes");
    let routes = FileRoutes::open(&path).map_err(|source| ServeError::Routes { path, source })?;
    let launcher = Arc::new(ProcessLauncher::open(launcher_settings(data, config, python, tasks)).await?);
    let wakes = Arc::new(LocalWakes::new());
    let machine = Arc::new(Machine::watching());
    let ports = Ports {
        store: store.clone(),
        wakes: wakes.clone(),
        launcher: launcher.clone(),
        schedulers: Arc::new(HttpSchedulers::new(QUESTION)),
        routes: Arc::new(routes),
        host: machine.clone(),
    };
    let access = Arc::new(Access::new(store.clone(), ports.host.clone()));
    let auth = match config.auth.methods.is_empty() {
        true => config.auth.open_to_own(&ring, geteuid().as_raw())?,
        false => config.auth.open_here(&ring, &access, Arc::new(Accounts::default()))?,
    };
    Ok(Opened { ring, store, launcher, wakes, machine, ports, options, access, auth })
}

/// The records and the keys that go with them.
async fn open_records(data: &DataDir) -> Result<(Arc<SqliteStore>, KeyRing), ServeError> {
    let failed = |source| ServeError::Inventory { path: data.path().to_owned(), source };
    let (file, dir) = (data.file("store.sqlite"), data.path().display().to_string());
    // a file without content is one that was lost
    if !std::fs::metadata(&file).is_ok_and(|file| file.len() > 0) {
        Inventory::look(data, Records::Missing).map_err(failed)?.judge(&dir)?;
    }
    let store = Arc::new(SqliteStore::open_checked(&file)?);
    let records = if store.is_used()? { Records::Used } else { Records::Empty };
    Inventory::look(data, records).map_err(failed)?.judge(&dir)?;
    let ring = data.key_ring()?;
    let known = store.known_keys()?;
    check_keys(&dir, &ring, &known)?;
    let now = fingerprints(&ring);
    if now != known {
        store.put_known_keys(&now).await?;
    }
    Ok((store, ring))
}

impl Opened {
    /// Puts it together. `api_url`: where schedulers reach the API.
    pub fn assemble(self, config: &Config, api_url: String, wrap: impl FnOnce(Ports) -> Ports) -> Built {
        let Opened { ring, store, launcher, wakes, machine, ports, options, access, auth } = self;
        let settings = ClusterSettings {
            options,
            base: config.cluster.clone(),
            api_url,
            listen: Listen::loopback(),
            check_launch: faregate_processes::check_launch,
        };
        let services = Services::new(wrap(ports), ring, config.policy.clone(), settings);
        let app = App {
            gateway: services.gateway.clone(),
            access,
            auth,
            prefix: config.gateway.prefix.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dashboards: Dashboards::Here { sign_in: config.gateway.dashboard_sign_in },
            client_networks: Vec::new(),
        };
        Built { world: World { services, wakes, store, launcher, machine }, app }
    }
}

fn launcher_settings(
    data: &DataDir,
    config: &Config,
    python: &PythonEnv,
    tasks: Tasks,
) -> faregate_processes::Settings {
    faregate_processes::Settings {
        bin: Some(python.bin()),
        separation: tasks.separation,
        umask: tasks.umask,
        log_bytes: config.gateway.task_log_size,
        log_files: config.gateway.task_log_files,
        sigint_timeout: period(config.gateway.sigint_timeout_ms),
        sigterm_timeout: period(config.gateway.sigterm_timeout_ms),
        supervisor: supervisor(),
        ..faregate_processes::Settings::new(data.path())
    }
}

/// This very program (found by the kernel, also after an upgrade has replaced its file), with the limit of open files that this process
/// was started with: a raised one is ours, and programs that use `select` come to grief with it.
fn supervisor() -> Vec<OsString> {
    let mut command: Vec<OsString> = vec!["/proc/self/exe".into(), "task".into()];
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        command.extend(["--open-files".into(), limit.to_string().into()]);
    }
    command
}
