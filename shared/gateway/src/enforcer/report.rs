//! What an enforcement run tells of itself.

use faregate_core::model::Ms;

/// What an enforcement run found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    }
}
