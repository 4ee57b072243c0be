//! What admins are shown, a line each.

use super::super::Used;
use faregate_core::model::{Cluster, ClusterName, Month, Ms, Reason};
use serde::Serialize;

/// One cluster, of whomever.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterRow {
    /// Its name.
    pub name: ClusterName,
    /// Its owner.
    pub user: String,
    /// The owner's groups when it was created.
    pub groups: Vec<String>,
    /// Where it is.
    pub status: &'static str,
    /// Workers that are counted for it.
    pub workers: i64,
    /// Workers that it wants.
    pub wanted: u32,
    /// The workers' cores.
    pub cores: f64,
    /// The workers' memory, in bytes.
    pub memory: i64,
    /// When it was created.
    pub start_time: Ms,
    /// When it was at rest.
    pub stop_time: Option<Ms>,
    /// Why it ended, or is ending.
    pub reason: Option<Reason>,
    /// What it waits for.
    pub waiting: Option<Reason>,
    /// What its user was warned of.
    pub warnings: Vec<Reason>,
}

impl From<&Cluster> for ClusterRow {
    fn from(cluster: &Cluster) -> Self {
        let counts = cluster.reserved.counts;
        ClusterRow {
            name: cluster.name.clone(),
            user: cluster.user.clone(),
            groups: cluster.groups.clone(),
            status: cluster.status.as_str(),
            workers: counts.workers,
            wanted: cluster.count,
            cores: counts.millicores as f64 / 1000.0,
            memory: counts.memory_bytes,
            start_time: cluster.created_at,
            stop_time: cluster.stopped_at,
            reason: cluster.reason.clone(),
            waiting: cluster.waiting.clone(),
            warnings: cluster.warnings.clone(),
        }
    }
}

/// What one cluster used in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsageRow {
    /// The month.
    pub month: Month,
    /// Whose.
    pub user: String,
    /// Which cluster.
    pub cluster: ClusterName,
    /// What it used.
    #[serde(flatten)]
    pub used: Used,
    /// It is not at rest, so it may use more.
    pub running: bool,
}
