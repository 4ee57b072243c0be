//! A limit that was lowered under what runs: nothing more is started; the scheduler has a while to retire workers; then the newest go.

use super::draft::Draft;
use crate::model::{Reason, ReasonCode, Shrink, Status, TaskId, TaskRole};
use crate::safety_rule;

impl Shrink {
    fn why(&self) -> Reason {
        Reason { code: ReasonCode::LimitLowered, ..self.reason.clone() }
    }
}

impl Draft<'_> {
    /// Stops what is too much once the scheduler has had its time, and forgets the matter once what counts for the cluster is within the
    /// limit: what was told to stop counts until it is gone.
    pub fn shrink(&mut self) {
        let Some(shrink) = self.cluster.shrink.clone() else { return };
        let stop_at = shrink.since + self.policy.retire_ms;
        if self.now < stop_at {
            self.wait_until(stop_at);
        } else if shrink.end {
            self.cluster.end(Status::Stopped, shrink.why(), self.now);
        } else if safety_rule!(self.policy, shrink_newest) {
            self.stop_the_newest(i64::from(shrink.keep), &shrink.reason.message);
        }
        if !shrink.end && self.charged().workers <= i64::from(shrink.keep) {
            self.cluster.shrink = None;
            self.cluster.waiting.take_if(|why| why.code == ReasonCode::LimitLowered);
        }
    }

    /// Why nothing new is started at all: its user is frozen, or has limits that nobody can read, or has spent their budget, or the
    /// cluster is to end.
    pub fn holds_back(&self) -> Option<Reason> {
        if let Some(frozen) = &self.view.limits.frozen {
            return Some(Reason::new(ReasonCode::Frozen, frozen.value.clone()));
        }
        if let Some(unreadable) = self.view.limits.unreadable() {
            return Some(unreadable);
        }
        self.view.spent.clone().or_else(|| self.cluster.shrink.as_ref().filter(|shrink| shrink.end).map(Shrink::why))
    }

    /// The most workers that a lowered limit lets the cluster keep.
    pub fn keep(&self) -> i64 {
        self.cluster.shrink.as_ref().map_or(i64::MAX, |shrink| if shrink.end { 0 } else { i64::from(shrink.keep) })
    }

    /// While a limit is lowered, it is what the cluster waits for, unless something else keeps even what is allowed from starting.
    pub fn say_that_a_limit_is_lowered(&mut self) {
        let Some(shrink) = &self.cluster.shrink else { return };
        let other = |code| {
            matches!(
                code,
                ReasonCode::WaitingForCapacity | ReasonCode::Throttled | ReasonCode::Frozen | ReasonCode::Budget
            )
        };
        if !self.cluster.waiting.as_ref().is_some_and(|why| other(why.code)) {
            self.cluster.waiting = Some(shrink.why());
        }
    }

    /// Those that the scheduler is retiring first, then the youngest.
    fn stop_the_newest(&mut self, keep: i64, message: &str) {
        let staying = self.may_run(TaskRole::Worker).filter(|t| t.stopping.is_none());
        let mut staying: Vec<(bool, i64, TaskId)> =
            staying.map(|t| (t.leaving, t.facts.accepted_at, t.facts.id.clone())).collect();
        staying.sort();
        let excess = (staying.len() as i64 - keep).max(0) as usize;
        let room = self.room();
        if excess > room {
            self.due(self.now);
        }
        for (_, _, id) in staying.into_iter().rev().take(excess.min(room)) {
            self.stop(&id, ReasonCode::LimitLowered, message);
        }
    }
}
