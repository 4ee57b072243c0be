//! Workers that ended before the scheduler named them in a heartbeat: had they connected?
//!
//! The scheduler knows, and is asked at once. Until it answers, its next heartbeat after the end is waited for, as for one that cannot be
//! asked: a scheduler of an earlier build, or without a dashboard.

use super::Action;
use super::draft::Draft;
use crate::model::{Task, TaskId};
use std::collections::BTreeSet;

impl Draft<'_> {
    pub fn learn_seen(&mut self, asked: &[TaskId], seen: &BTreeSet<String>) {
        let now = self.now;
        for id in asked {
            let Some(task) = self.task_mut(id).filter(|task| !task.may_run()) else { continue };
            if seen.contains(&id.worker_name()) {
                task.registered_at.get_or_insert(now);
                task.check_at = None;
            } else {
                self.never_seen.insert(id.clone());
            }
        }
    }

    /// The questions that were decided on. Last of a round's calls: none of the others shall wait for a scheduler.
    pub fn ask_scheduler(&mut self) {
        let Some(dashboard) = self.cluster.addresses.and_then(|addresses| addresses.dashboard) else { return };
        if !self.to_ask.is_empty() && self.cluster.wants_to_run() {
            self.after.push(Action::AskSeen(dashboard, std::mem::take(&mut self.to_ask)));
        }
    }
}

/// Is the scheduler to be asked about this task now? `check_at` says when to ask again.
pub(super) fn asks(task: &mut Task, now: i64, again: i64) -> bool {
    let due = task.check_at.is_none_or(|at| at <= now);
    if due {
        task.check_at = Some(again);
    }
    due
}
