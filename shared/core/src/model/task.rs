//! One process (or Fargate task) of a cluster.

use super::{Amount, ClusterName, LaunchId, Month, Ms, Reason};
use crate::printable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Chosen by the launcher, never by us. Letters, digits, `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

impl TaskId {
    /// The worker's name in the scheduler: `w-` + the id (an all-digit name would become an integer on its way through dask).
    pub fn worker_name(&self) -> String {
        format!("w-{}", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum TaskRole {
    Scheduler,
    Worker,
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Accepted; not running yet.
    Starting,
    /// Running (or told to stop, and not gone).
    Running,
    /// At rest: it will never run again.
    Stopped,
}

/// What the launcher says of a task. Facts come from replies, descriptions, lists and events, in any order; the highest
/// `version` is the latest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFacts {
    /// Whose it is.
    pub id: TaskId,
    /// The launch that asked for it.
    pub launch: LaunchId,
    /// What it runs.
    pub role: TaskRole,
    /// Grows with every change of the task.
    pub version: u64,
    /// How far it has come.
    pub state: TaskState,
    /// When the launcher accepted it.
    pub accepted_at: Ms,
    /// When the pull of its image began (billing starts here); equals `started_at` where there is no image.
    pub pulled_at: Option<Ms>,
    /// When it ran.
    pub started_at: Option<Ms>,
    /// When it stopped.
    pub stopped_at: Option<Ms>,
    /// Why it stopped, in the launcher's own code (ECS: `stopCode`).
    pub stop_code: Option<String>,
    /// Why it stopped, in words.
    pub stop_reason: Option<String>,
    /// The process's exit code; 128 + n after signal n.
    pub exit_code: Option<i32>,
    /// It ended for want of capacity, or the platform failed to start it: it got no address, its network or its image's registry did not
    /// answer, Spot took its place away. No failure of what it ran. Kept under the name that it had when it was about capacity alone.
    #[serde(default, rename = "capacity_lost")]
    pub lost_to_platform: bool,
    /// The kind of capacity it runs on (`FARGATE`, `FARGATE_SPOT`, `local`).
    pub capacity: Option<String>,
    /// Its own address, once known.
    pub address: Option<IpAddr>,
    /// The ports its processes listen on, where the address is shared with others; none = every port of `address` is its own.
    pub ports: Option<Vec<u16>>,
    /// The last lines of its log, once it has ended by itself.
    #[serde(default)]
    pub last_lines: Vec<String>,
}

impl TaskFacts {
    /// Is `address` one that only this task can listen on?
    pub fn owns(&self, address: SocketAddr) -> bool {
        self.address == Some(address.ip()) && self.ports.as_ref().is_none_or(|ports| ports.contains(&address.port()))
    }
}

/// What a running task's process does at the moment, where the host can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// It is stopped (SIGSTOP, or a debugger): somebody must let it go on.
    Stopped,
    /// It uses processor time.
    Computing,
    /// It runs, and uses next to no processor time.
    Waiting,
}

/// A task's record: the launcher's facts, and what we make of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its cluster.
    pub cluster: ClusterName,
    /// What the launcher said.
    pub facts: TaskFacts,
    /// When its worker was first seen by the scheduler.
    pub registered_at: Option<Ms>,
    /// The scheduler is retiring it: it no longer counts towards the wanted number.
    pub leaving: bool,
    /// Since when the scheduler calls its worker closed while the task lives: restarting, or hung.
    pub closed_since: Option<Ms>,
    /// The heartbeat by which it had been named closed for too long: the next one confirms it. One alone may be the first word of a
    /// scheduler that was busy for as long.
    #[serde(default)]
    pub late_at: Option<Ms>,
    /// Told to stop, and why; asked again until it is *seen* at rest.
    pub stopping: Option<Reason>,
    /// When to ask it to stop again.
    pub next_stop: Option<Ms>,
    /// When to ask the launcher about it.
    pub check_at: Option<Ms>,
    /// Descriptions in a row that did not know it, asked for late enough that they should have.
    pub missing: u32,
    /// Belongs to a launch that is closed without it: was never reserved for, is only to be stopped.
    #[serde(rename = "stray")]
    pub orphan: bool,
    /// Counted as failed to start already.
    pub failed_start: bool,
    /// At rest and given back: its reservation, and its entry in the ledger.
    pub settled: bool,
    /// What the ledger has of it.
    #[serde(default)]
    pub billed: BTreeMap<Month, Amount>,
    /// When the record may be forgotten.
    pub expires_at: Option<Ms>,
}

impl TaskFacts {
    /// With what its own code wrote made fit to be shown.
    pub fn printable(self) -> Self {
        let last_lines = self.last_lines.iter().map(|line| printable(line)).collect();
        TaskFacts { last_lines, ..self }
    }
}

impl Task {
    /// A task just heard of.
    pub fn new(cluster: ClusterName, facts: TaskFacts) -> Self {
        Task {
            cluster,
            facts: facts.printable(),
            registered_at: None,
            leaving: false,
            closed_since: None,
            late_at: None,
            stopping: None,
            next_stop: None,
            check_at: None,
            missing: 0,
            orphan: false,
            failed_start: false,
            settled: false,
            billed: BTreeMap::new(),
            expires_at: None,
        }
    }
}
