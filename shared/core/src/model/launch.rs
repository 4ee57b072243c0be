//! A launch: what is written down before the launcher is called, so that a lost reply cannot start anything twice.

use super::{ClusterName, Counts, InvalidName, Ms, Reason, TaskRole};
use serde::{Deserialize, Serialize};
use std::fmt;

/// `<cluster name>-<n>`: client token and `startedBy` of the call, and so the way back from a task to its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaunchId(pub String);

impl LaunchId {
    /// The `n`th launch of a cluster.
    pub fn new(cluster: &ClusterName, n: u32) -> Self {
        LaunchId(format!("{cluster}-{n:06}"))
    }

    /// The cluster it belongs to.
    pub fn cluster(&self) -> Result<ClusterName, InvalidName> {
        self.0.get(..32).unwrap_or_default().parse()
    }
}

impl fmt::Display for LaunchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a launch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchState {
    /// To be called, or called without a known outcome.
    Pending,
    /// `not_after` has passed without a known outcome; its tasks, should any appear, are adopted.
    Expired,
    /// No longer wanted, outcome unknown; its tasks, should any appear, are stopped.
    Cancelled,
    /// The tasks are known.
    Accepted,
    /// Definitely refused.
    Failed,
    /// Never accepted: nothing of it can appear any more.
    NotAccepted,
}

impl LaunchState {
    /// Tasks of it may still appear.
    pub fn is_open(self) -> bool {
        matches!(self, LaunchState::Pending | LaunchState::Expired | LaunchState::Cancelled)
    }
}

/// The exact request: every call of one launch repeats it to the letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// What the tasks run.
    pub role: TaskRole,
    /// How many tasks, 1 to 10.
    pub count: u32,
    /// Cores of each.
    pub cores: f64,
    /// Memory of each, in bytes.
    pub memory_bytes: u64,
    /// The command and its arguments. `{worker_name}` is replaced by the task's own worker name, at its start.
    pub command: Vec<String>,
    /// Environment beyond the credentials; nothing secret.
    pub environment: Vec<(String, String)>,
    /// The system user to run as, where the launcher can.
    pub user: String,
    /// Groups, for tags.
    pub groups: Vec<String>,
    /// Container image, where the launcher uses one.
    pub image: Option<String>,
    /// What else Fargate is told.
    #[serde(default)]
    pub fargate: Fargate,
}

/// What a launch on Fargate says beyond sizes and commands. Elsewhere nobody reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fargate {
    /// On Spot capacity, which costs less and may be taken away at two minutes' notice.
    pub spot: bool,
    /// Which of the places (subnets) there are, counted from the cluster's own.
    pub place: u32,
    /// `ARM64` or `X86_64`; none = the deployment's.
    pub cpu_architecture: Option<String>,
    /// Ephemeral storage in GiB, 21 to 200; none = the 20 that cost nothing.
    pub ephemeral_storage_gib: Option<u32>,
    /// The IAM role that the task's code has; none = the deployment's.
    pub task_role_arn: Option<String>,
}

/// One launch's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// Its id.
    pub id: LaunchId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// The request.
    pub spec: LaunchSpec,
    /// What one task of it reserves.
    pub unit: Counts,
    /// How it stands.
    pub state: LaunchState,
    /// When it was written.
    pub created_at: Ms,
    /// Nobody calls after this.
    pub not_after: Ms,
    /// Calls counted so far, each before it was made.
    pub calls: u32,
    /// Those of them that are known to have started nothing: they were throttled, or denied for now.
    #[serde(default)]
    pub throttled: u32,
    /// When to call again (Pending) or to list its tasks again (Expired, Cancelled).
    pub next_try: Ms,
    /// What the last call said, if it was refused or waits.
    pub outcome: Option<Reason>,
    /// When the record may be forgotten.
    pub expires_at: Option<Ms>,
}
