//! What starts and stops tasks.

use crate::model::{Activity, ClusterName, Launch, LaunchId, Ms, TaskFacts, TaskId};
use async_trait::async_trait;

/// A cluster's secrets, as its tasks get them. `Debug` shows none of them.
#[derive(Clone)]
pub struct Credentials {
    /// Whose.
    pub cluster: ClusterName,
    /// The system user that will read them, where tasks run as one.
    pub user: String,
    /// Certificate, PEM.
    pub tls_cert: String,
    /// Private key, PEM.
    pub tls_key: String,
    /// The cluster's API token.
    pub token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.cluster)
    }
}

/// An accepted launch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launched {
    /// The tasks; fewer than asked for when capacity fell short.
    pub tasks: Vec<TaskFacts>,
    /// Why some are missing, if any are.
    pub shortfall: Option<String>,
}

/// Why a launch call brought no tasks.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LaunchError {
    /// Not now: too many calls. Nothing was started by this call.
    #[error("the launcher is throttled")]
    Throttled,
    /// No capacity (or no quota, or no free address). Nothing was started by this call.
    #[error("no capacity: {0}")]
    NoCapacity(String),
    /// Permissions are missing. Nothing was started by this call. Where those that were just given take a while to arrive (AWS's IAM), the
    /// same call may be allowed soon.
    #[error("the launch is not allowed: {0}")]
    Denied(String),
    /// This request can never work. Nothing was started by this call.
    #[error("the launch was refused: {0}")]
    Rejected(String),
    /// Another call with the same token started these.
    #[error("another call of the same launch was accepted")]
    Conflict(Vec<TaskId>),
    /// The outcome is unknown: the call may have started everything.
    #[error("the outcome of the launch is unknown: {0}")]
    Unknown(String),
}

/// A call failed; what it was about is unchanged, or unknown.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the launcher failed: {0}")]
pub struct LauncherError(pub String);

/// A cluster's credentials were not put in place.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PrepareError {
    /// Trying again changes nothing: the sentence is for the cluster's user.
    #[error("{0}")]
    Refused(String),
    /// It may go well the next time.
    #[error("the credentials were not put in place: {0}")]
    Failed(String),
}

impl From<LauncherError> for PrepareError {
    fn from(error: LauncherError) -> Self {
        PrepareError::Failed(error.0)
    }
}

/// A page of tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPage {
    /// Tasks that are not at rest, in no order; eventually consistent: a list discovers, it does not condemn.
    pub tasks: Vec<TaskFacts>,
    /// Where the next page starts; none = this was the last.
    pub cursor: Option<String>,
}

/// Starts and stops tasks. Every method may be called again with the same arguments.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Puts a cluster's credentials where its tasks will find them.
    async fn prepare(&self, credentials: &Credentials) -> Result<(), PrepareError>;

    /// Removes what [`Launcher::prepare`] put there. Called when the cluster is at rest.
    async fn discard(&self, cluster: &ClusterName) -> Result<(), LauncherError>;

    /// Starts `launch.spec.count` tasks; idempotent by `launch.id`, as long as any of its tasks is remembered.
    /// Makes no call after `launch.not_after`, by the caller's clock `now`.
    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError>;

    /// Asks a task to stop. `Ok` says that the request was taken, not that the task is gone; an unknown task is `Ok`.
    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError>;

    /// Describes tasks, in the order asked; none = not known (gone long ago, never was, or not visible yet).
    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError>;

    /// What the process of a running task does at the moment; none where the host cannot tell, or it does not run.
    async fn activity(&self, _task: &TaskId) -> Result<Option<Activity>, LauncherError> {
        Ok(None)
    }

    /// Everything of one launch that is remembered, running or stopped.
    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError>;

    /// Everything that is not at rest, a page at a time.
    async fn list(&self, cursor: Option<&str>) -> Result<TaskPage, LauncherError>;
}
