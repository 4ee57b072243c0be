//! How a launcher is set up.

use super::identity::{AssignmentsError, Separation};
use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What a launcher needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The gateway's data directory; clusters are in `clusters/` below it. Where tasks run under other uids, these must
    /// be able to pass through it (mode 0711).
    pub directory: PathBuf,
    /// Program and first arguments that reach [`super::supervise()`]; the task's directory is appended.
    pub supervisor: Vec<OsString>,
    /// Program and first arguments that reach [`super::remove()`]; the directory is appended.
    pub remover: Vec<OsString>,
    /// Program and first arguments that reach [`super::measure()`]; directories are appended.
    pub measurer: Vec<OsString>,
    /// A directory that comes first in the tasks' `PATH`: where `dask` is.
    pub bin: Option<PathBuf>,
    /// Most bytes of one file of a task's log.
    pub log_bytes: u64,
    /// Most files of a task's log.
    pub log_files: u32,
    /// Who tasks run as, and what keeps those of one user from another's.
    pub separation: Separation,
    /// The tasks' file mode creation mask.
    pub umask: u32,
    /// Between SIGINT and SIGTERM, when a task is stopped.
    pub sigint_timeout: Duration,
    /// Between SIGTERM and SIGKILL; also for what a task leaves behind when it ends.
    pub sigterm_timeout: Duration,
    /// Most tasks on one page of a list.
    pub page: usize,
}

/// The launcher cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Only root can become another user.
    #[error("tasks can run under other uids (`run_as_user`, `task_uid_range`) only when the gateway runs as root")]
    NotRoot,
    /// What a task needs in its environment must be text.
    #[error("the data directory `{}` is not valid UTF-8", .0.display())]
    NotText(PathBuf),
    /// Whose a uid is cannot be said.
    #[error(transparent)]
    Assignments(#[from] AssignmentsError),
    /// The directory cannot be used, or what is in it cannot be read.
    #[error("the launcher's directory `{}` cannot be used", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Passed on from the gateway's own environment: what the official server passes on, and the user's.
const INHERITED: [&str; 9] =
    ["PATH", "PYTHONPATH", "CONDA_ROOT", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "LANG", "LC_ALL", "HOME", "USER"];

impl Settings {
    /// The defaults: the official server's patience, this very program (found by the kernel, also after an upgrade has replaced
    /// its file) as supervisor.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Settings {
            directory: directory.into(),
            supervisor: vec!["/proc/self/exe".into(), "task".into()],
            remover: vec!["/proc/self/exe".into(), "remove".into()],
            measurer: vec!["/proc/self/exe".into(), "measure".into()],
            bin: None,
            log_bytes: 4 << 20,
            log_files: 2,
            separation: Separation::Shared,
            umask: 0o022,
            sigint_timeout: Duration::from_secs(10),
            sigterm_timeout: Duration::from_secs(5),
            page: 100,
        }
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        if self.separation.changes_user() && !rustix::process::geteuid().is_root() {
            return Err(OpenError::NotRoot);
        }
        self.directory.to_str().map(drop).ok_or_else(|| OpenError::NotText(self.directory.clone()))
    }

    pub(super) fn clusters(&self) -> PathBuf {
        self.directory.join("clusters")
    }

    pub(super) fn trash(&self) -> PathBuf {
        self.directory.join("trash")
    }

    /// Of directories that users pass through.
    pub(super) fn open_mode(&self) -> u32 {
        if self.separation.changes_user() { 0o711 } else { 0o700 }
    }

    /// The environment every task has, before anything of its own.
    pub(super) fn base_environment(&self) -> Vec<(String, String)> {
        let mut inherited: Vec<(String, String)> =
            INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?))).collect();
        if let Some(bin) = self.bin.as_ref().and_then(|bin| bin.to_str()) {
            let path = env::var("PATH").map_or(bin.to_owned(), |path| format!("{bin}:{path}"));
            inherited.retain(|(name, _)| name != "PATH");
            inherited.push(("PATH".to_owned(), path));
        }
        inherited
    }
}
