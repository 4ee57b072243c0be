//! What an enforcement run tells of itself.

use faregate_core::model::{Cluster, Ms, ReasonCode};

/// What an enforcement run found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnforcementReport {
    /// Clusters in the index.
    pub active: usize,
    /// Wakes sent for what was due.
    pub woken: usize,
    /// Clusters turned towards their end.
    pub ended: usize,
    /// Clusters whose heartbeat is overdue.
    pub silent: usize,
    /// So many are silent at once that the fault is rather ours.
    pub mass_silence: bool,
    /// Clusters that have more than a limit allows since that was lowered.
    pub over_limits: usize,
    /// Warnings given.
    pub warned: usize,
    /// Limit items that cannot be read.
    pub broken_limits: usize,
    /// Questions asked of schedulers.
    pub asked: usize,
    /// Questions left to the next run.
    pub unasked: usize,
    /// The longest that a scheduler's idle question was overdue when it was asked, or still is.
    pub idle_delay_ms: Ms,
    /// Records forgotten.
    pub forgotten: usize,
    /// What keeps clusters from starting what they want.
    pub blocked: Blocked,
    /// How long each cluster that has begun to run within the last minute took for it, from its creation.
    pub starts_ms: Vec<Ms>,
}

/// Clusters in the index, by what keeps them from starting what they want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// There is no capacity, or no address.
    pub capacity: usize,
    /// The launcher's calls are throttled, or a quota is used up.
    pub throttled: usize,
    /// A call is not allowed.
    pub permissions: usize,
    /// They end, as a launch was refused for good.
    pub refused: usize,
    /// A limit leaves no room.
    pub limits: usize,
}

/// So long after it began to run a cluster is one that has just started: the time between two runs on AWS.
const JUST: Ms = 60_000;

impl EnforcementReport {
    /// Counts a cluster of the index.
    pub(super) fn count(&mut self, cluster: &Cluster, now: Ms) {
        let ends_for = cluster.reason.as_ref().map(|reason| reason.code);
        let waits_for = cluster.waiting.as_ref().map(|reason| reason.code).filter(|_| cluster.wants_to_run());
        match ends_for.or(waits_for) {
            Some(ReasonCode::WaitingForCapacity) => self.blocked.capacity += 1,
            Some(ReasonCode::Throttled) => self.blocked.throttled += 1,
            Some(ReasonCode::WaitingForPermissions) => self.blocked.permissions += 1,
            Some(ReasonCode::LaunchRejected) => self.blocked.refused += 1,
            Some(ReasonCode::WaitingForRoom) => self.blocked.limits += 1,
            _ => {}
        }
        let began = cluster.running_at.filter(|began| (0..JUST).contains(&(now - began)));
        self.starts_ms.extend(began.map(|began| (began - cluster.created_at).max(0)));
    }
}

impl EnforcementReport {
    /// Takes what a part of the run did in.
    pub(super) fn add(&mut self, part: EnforcementReport) {
        self.active += part.active;
        self.woken += part.woken;
        self.ended += part.ended;
        self.silent += part.silent;
        self.mass_silence |= part.mass_silence;
        self.over_limits += part.over_limits;
        self.warned += part.warned;
        self.broken_limits += part.broken_limits;
        self.asked += part.asked;
        self.unasked += part.unasked;
        self.idle_delay_ms = self.idle_delay_ms.max(part.idle_delay_ms);
        self.forgotten += part.forgotten;
        self.blocked.capacity += part.blocked.capacity;
        self.blocked.throttled += part.blocked.throttled;
        self.blocked.permissions += part.blocked.permissions;
        self.blocked.refused += part.blocked.refused;
        self.blocked.limits += part.blocked.limits;
        self.starts_ms.extend(part.starts_ms);
    }
}
