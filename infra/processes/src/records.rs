//! What the launcher writes down, and where.
//!
//! ```text
//! <data>/clusters/<cluster>/
//!     lock                   held while the directory is changed
//!     tls.crt tls.key token  the credentials, until the cluster is at rest
//!     work/                  where its tasks run, until the cluster is at rest
//!     launches/<launch>.json which tasks a launch has, and their supervisors
//!     tasks/<task>/          started.json, exit.json, log, log.1 … (by the supervisor)
//! <data>/trash/              files of users that are to be removed
//! ```

use super::confine::Confinement;
use super::durable;
use super::processes::Process;
use faregate_core::model::{ClusterName, LaunchId, Ms, TaskId, TaskRole};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A launch that was called. Written whole, before any of its tasks may run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// Its id.
    pub id: LaunchId,
    /// Whose.
    pub cluster: ClusterName,
    /// What its tasks run.
    pub role: TaskRole,
    /// When it was called first.
    pub accepted_at: Ms,
    /// The start of the machine that the supervisors belong to.
    pub boot: String,
    /// The supervisor of each task.
    pub tasks: BTreeMap<TaskId, Process>,
}

/// What a supervisor is to do. Goes through a pipe, on one line: without it, nothing runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Program and arguments.
    pub command: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// Where to run.
    pub directory: PathBuf,
    /// As whom; none = as the gateway.
    pub user: Option<RunAs>,
    /// What its log may be.
    pub log: LogRule,
    /// To what it is confined.
    pub confinement: Option<Confinement>,
    /// How much sooner than the gateway it is killed when memory runs out: added to the gateway's own `oom_score_adj`.
    pub oom_score_adj: i32,
    /// Its file mode creation mask.
    pub umask: u32,
    /// Between SIGINT and SIGTERM.
    pub sigint_timeout_ms: u64,
    /// Between SIGTERM and SIGKILL.
    pub sigterm_timeout_ms: u64,
}

/// A system user, by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
}

/// `started.json`: from here on the command may run. Written before it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// When.
    pub at: Ms,
    /// The inode of the pipe that its output goes through, and what becomes of it there; none = it writes its log itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<(u64, LogRule)>,
}

/// User and group of a file.
pub type Owner = (u32, u32);

/// How long a task's log may get, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRule {
    /// Most bytes of one file.
    pub bytes: u64,
    /// Most files.
    pub files: u32,
    /// Whose they are; none = the gateway's.
    pub owner: Option<Owner>,
}

/// `exit.json`: how a task ended. The first that is written stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// When its command ended, or was seen to have.
    pub at: Ms,
    /// 128 + n after signal n; none = not known, or never run.
    pub code: Option<i32>,
    /// In one word.
    pub stop: StopCode,
    /// In words.
    pub reason: String,
}

/// Why a task stopped, as [`faregate_core::model::TaskFacts::stop_code`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCode {
    /// It ended by itself.
    Exited,
    /// It was asked to.
    Stopped,
    /// By a signal that the gateway did not send.
    Killed,
    /// Its command could not be started.
    StartFailed,
    /// Nobody saw how it ended.
    Lost,
}

impl StopCode {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            StopCode::Exited => "Exited",
            StopCode::Stopped => "Stopped",
            StopCode::Killed => "Killed",
            StopCode::StartFailed => "StartFailed",
            StopCode::Lost => "Lost",
        }
    }
}

/// A cluster's directory.
#[derive(Clone, Debug)]
pub struct ClusterDir(pub PathBuf);

impl ClusterDir {
    /// The lock's file.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
    /// The certificate.
    pub fn cert(&self) -> PathBuf {
        self.0.join("tls.crt")
    }
    /// Its private key.
    pub fn key(&self) -> PathBuf {
        self.0.join("tls.key")
    }
    /// The API token.
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }
    /// The tasks' working directory.
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }
    /// What tasks under other uids install: the Python environment is not theirs.
    pub fn packages(&self) -> PathBuf {
        self.work().join(".packages")
    }
    /// All launch records.
    pub fn launches(&self) -> PathBuf {
        self.0.join("launches")
    }
    /// One launch's record.
    pub fn launch(&self, id: &LaunchId) -> PathBuf {
        self.launches().join(format!("{id}.json"))
    }
    /// All tasks' directories.
    pub fn tasks(&self) -> PathBuf {
        self.0.join("tasks")
    }
    /// One task's directory.
    pub fn task(&self, id: &TaskId) -> TaskDir {
        TaskDir(self.tasks().join(&id.0))
    }
}

/// A task's directory.
#[derive(Clone, Debug)]
pub struct TaskDir(pub PathBuf);

impl TaskDir {
    /// Output and errors of its command.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }
    /// Whether and when its command was started.
    pub fn started(&self) -> io::Result<Option<Started>> {
        load(&self.0.join("started.json"))
    }
    /// Writes down that it is about to run. False when that is on record already: it must not run again.
    pub fn write_started(&self, started: &Started) -> io::Result<bool> {
        durable::create(&self.0.join("started.json"), &encode(started)?)
    }
    /// How it ended.
    pub fn exit(&self) -> io::Result<Option<Exit>> {
        load(&self.0.join("exit.json"))
    }
    /// Writes down how it ended, unless that is on record already.
    pub fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        durable::create(&self.0.join("exit.json"), &encode(exit)?).map(drop)
    }
}

/// A record as the bytes of its file.
pub fn encode<T: Serialize>(record: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(record)?)
}

/// Reads a record; none = there is no such file.
pub fn load<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let Some(bytes) = durable::read(path)? else { return Ok(None) };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {e}", path.display())))
}
