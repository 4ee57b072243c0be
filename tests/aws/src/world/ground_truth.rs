//! What truly happened to each cluster, as only the world can know, to judge the gateway's verdicts by.

use faregate_core::model::{Cluster, Policy, ReasonCode};

/// A cluster's true story.
#[derive(Clone, Debug, Default)]
pub struct GroundTruth {
    /// Its user asked for its end.
    pub stop_asked: bool,
    /// And was told that it comes.
    pub stop_taken: bool,
    /// Schedulers that died unasked.
    pub schedulers_died: u32,
    /// Its scheduler hung.
    pub hung: bool,
    /// Workers that never connected, or died.
    pub failed_workers: u32,
    /// Its scheduler said that it was idle for long enough.
    pub told_idle: bool,
}

impl GroundTruth {
    /// Why the end of a cluster is not the one it should have had, if so.
    pub fn objects(&self, cluster: &Cluster, policy: &Policy) -> Option<String> {
        let Some(reason) = &cluster.reason else { return Some("it ended without a reason".into()) };
        let is_true = match reason.code {
            ReasonCode::UserStopped => self.stop_asked,
            ReasonCode::SchedulerFailed => self.schedulers_died > 0,
            ReasonCode::SchedulerStartFailed => self.schedulers_died >= policy.scheduler_start_failure_limit,
            ReasonCode::SchedulerStartTimeout => self.hung,
            ReasonCode::HeartbeatTimeout => self.hung || self.schedulers_died > 0,
            ReasonCode::WorkerStartFailed => self.failed_workers >= policy.worker_start_failure_limit,
            ReasonCode::IdleTimeout => self.told_idle,
            _ => false,
        };
        (!is_true).then(|| format!("it ended wrongly: {:?}, {} ({self:?})", reason.code, reason.message))
    }
}
