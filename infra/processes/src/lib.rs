//! The launcher of a gateway on one machine: tasks as local processes.
//!
//! Each task has a *supervisor*, the gateway's own program as `task <directory>` (see [`supervise()`]): it founds a session, runs the command,
//! learns how it ends, and outlives the gateway. A supervisor waits for its order on a pipe that only the launcher holds, and
//! the launcher gives it when the task is on record: whatever is killed when, nothing runs that is not on record, and nothing
//! runs twice under one id. A task is at rest when the whole session is gone, also if its supervisor was killed.
//!
//! What is on disk (`records.rs`) and in `/proc` is the truth; memory only knows where to look, and what can change no more.
//!
//! Depends on the core and on what asks the kernel for sockets; on no HTTP and no cryptographic library. Begin with [`ProcessLauncher`] and
//! `start.rs`, then `supervise.rs`; [`identity`] says who tasks run as, `confine` what they may reach.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod activity;
mod check;
mod confine;
mod credentials;
mod durable;
mod facts;
pub mod identity;
mod interrupt;
mod measure;
mod modes;
pub mod name_service;
mod output;
mod ports;
mod processes;
mod records;
mod settings;
mod start;
mod stop;
mod supervise;
mod trash;
mod waiting;
mod watch;

pub use check::check_launch;
pub use confine::{ConfineError, Confinement};
pub use interrupt::interrupt;
pub use measure::{Measured, measure};
pub use records::RunAs;
pub use settings::{OpenError, Settings};
pub use supervise::supervise;
pub use trash::{remove, remove_tree};

use async_trait::async_trait;
use facts::Entry;
use faregate_core::model::{Activity, ClusterName, Launch, LaunchId, Ms, TaskFacts, TaskId};
use faregate_core::ports::{Credentials, LaunchError, Launched, Launcher, LauncherError, PrepareError, TaskPage};
use identity::Identities;
use records::ClusterDir;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use trash::Trash;

/// Starts and stops tasks as processes of this machine. Dropping it stops nothing: the next one over the same directory adopts
/// what runs.
pub struct ProcessLauncher(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// Where files of users go that are to be removed.
    trash: Arc<Trash>,
    identities: Identities,
    /// The start of the machine that processes on record must belong to.
    boot: String,
    index: Mutex<Index>,
    listeners: Mutex<Vec<mpsc::UnboundedSender<TaskFacts>>>,
    /// Tasks whose stop is being seen to.
    stopping: Mutex<HashSet<TaskId>>,
    /// What waits for ends, and sees stops through.
    background: Mutex<JoinSet<()>>,
}

/// Everything remembered, by id.
#[derive(Default)]
struct Index {
    tasks: BTreeMap<TaskId, Entry>,
    launches: HashMap<LaunchId, Vec<TaskId>>,
}

impl ProcessLauncher {
    /// Opens the directory, makes it if need be, and adopts what runs. Needs a tokio runtime, for as long as it lives.
    pub async fn open(settings: Settings) -> Result<ProcessLauncher, OpenError> {
        settings.check()?;
        let path = settings.directory.clone();
        let failed = |source| OpenError::Directory { path, source };
        let opening = tokio::task::spawn_blocking(move || {
            if let Err(error) = std::fs::create_dir_all(&settings.directory) {
                return Ok(Err(error));
            }
            if let identity::Separation::Confined(_) = settings.separation
                && let Err(error) = modes::restore(&settings.directory)
            {
                return Ok(Err(error));
            }
            let identities = Identities::open(settings.separation.clone(), &settings.directory)?;
            Ok(Inner::open(settings, identities))
        });
        let inner = match opening.await {
            Ok(Ok(inner)) => inner,
            Ok(Err(assignments)) => return Err(OpenError::Assignments(assignments)),
            Err(panic) => Err(io::Error::other(panic)),
        };
        inner.map(ProcessLauncher).map_err(failed)
    }

    /// What happens to tasks from now on, once to each receiver: every end, and every start that is not the end already. What ended
    /// while no launcher was open is not announced: describe it.
    pub fn events(&self) -> mpsc::UnboundedReceiver<TaskFacts> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.0.listeners).push(sender);
        receiver
    }

    /// Removes everything about a cluster, logs included: called when its record expires. Fails while a task of it runs.
    pub async fn forget(&self, cluster: &ClusterName) -> Result<(), LauncherError> {
        let cluster = cluster.clone();
        self.blocking(move |inner| inner.forget(&cluster)).await
    }

    /// Measures the files of clusters, in a process of its own. Not every one is in the answer.
    pub async fn measure(&self, clusters: &[ClusterName]) -> io::Result<Vec<(ClusterName, Measured)>> {
        let directories: Vec<_> = clusters.iter().map(|cluster| self.0.dir(cluster).0).collect();
        let found = measure::measure_apart(&self.0.settings.measurer, &directories).await?;
        Ok(clusters.iter().cloned().zip(found).collect())
    }

    /// Waits until the files that are to go were removed, or could not be; no longer than this.
    pub async fn settle(&self, patience: Duration) {
        self.0.trash.settle(patience).await;
    }

    /// Files and processes are looked at on threads that may wait. What has begun is finished, also if the caller gives up.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, LauncherError> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(io::Error::other).flatten().map_err(|error| LauncherError(error.to_string()))
    }
}

#[async_trait]
impl Launcher for ProcessLauncher {
    async fn prepare(&self, credentials: &Credentials) -> Result<(), PrepareError> {
        let (inner, credentials) = (self.0.clone(), credentials.clone());
        let done = tokio::task::spawn_blocking(move || inner.prepare(&credentials)).await;
        done.unwrap_or_else(|error| Err(PrepareError::Failed(error.to_string())))
    }

    async fn discard(&self, cluster: &ClusterName) -> Result<(), LauncherError> {
        let cluster = cluster.clone();
        self.blocking(move |inner| inner.discard(&cluster)).await
    }

    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        let (inner, launch) = (self.0.clone(), launch.clone());
        let done = tokio::task::spawn_blocking(move || inner.launch(&launch, now)).await;
        done.unwrap_or_else(|error| Err(LaunchError::Unknown(error.to_string())))
    }

    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError> {
        let task = task.clone();
        self.blocking(move |inner| inner.stop(&task)).await
    }

    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        let tasks = tasks.to_vec();
        self.blocking(move |inner| inner.describe(&tasks)).await
    }

    async fn activity(&self, task: &TaskId) -> Result<Option<Activity>, LauncherError> {
        let task = task.clone();
        self.blocking(move |inner| inner.activity(&task)).await
    }

    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        let launch = launch.clone();
        self.blocking(move |inner| inner.list_launch(&launch)).await
    }

    async fn list(&self, cursor: Option<&str>) -> Result<TaskPage, LauncherError> {
        let cursor = cursor.map(|last| TaskId(last.to_owned()));
        self.blocking(move |inner| inner.list(cursor)).await
    }
}

impl Inner {
    fn dir(&self, cluster: &ClusterName) -> ClusterDir {
        ClusterDir(self.settings.clusters().join(cluster.as_str()))
    }

    /// Waits until nobody else, in this process or another, changes the cluster's directory; none = there is no such directory.
    fn lock_cluster(&self, cluster: &ClusterName) -> io::Result<Option<File>> {
        let path = self.dir(cluster).lock();
        match OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.and_then(|file| file.lock().map(|()| Some(file))),
        }
    }

    fn announce(&self, facts: &TaskFacts) {
        lock(&self.listeners).retain(|listener| listener.send(facts.clone()).is_ok());
    }
}

/// None of the locked values can be left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, by the system's clock.
fn wall_clock() -> Ms {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Ms)
}
