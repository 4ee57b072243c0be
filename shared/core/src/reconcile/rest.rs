//! The way to rest: launches given up, tasks stopped, and only then the end.

use super::Action;
use super::draft::Draft;
use crate::model::{LaunchId, LaunchState, ReasonCode, Status, TaskId};
use crate::safety_rule;

impl Draft<'_> {
    /// For a cluster that is to end, or has ended and is found to have tasks.
    pub fn come_to_rest(&mut self) {
        self.heartbeat.accepting = false;
        self.heartbeat.due_at = None;
        self.cluster.next_try = None;
        if !self.cluster.status.is_ended() {
            self.cluster.status = Status::Stopping;
        }
        self.give_up_launches();
        let running: Vec<TaskId> = self
            .tasks
            .iter()
            .map(|t| &t.now)
            .filter(|t| t.may_run() && t.stopping.is_none())
            .map(|t| t.facts.id.clone())
            .collect();
        let room = self.room();
        if running.len() > room {
            self.due(self.now);
        }
        for id in running.into_iter().take(room) {
            self.stop(&id, ReasonCode::ClusterStopping, "its cluster is stopping");
        }
        if self.is_at_rest() {
            self.rest();
        } else if !self.cluster.active {
            self.cluster.active = true;
        }
    }

    fn give_up_launches(&mut self) {
        let now = self.now;
        let open: Vec<(LaunchId, LaunchState, u32)> =
            self.launches.iter().map(|l| (l.now.id.clone(), l.now.state, l.now.calls)).collect();
        for (id, state, calls) in open {
            match state {
                LaunchState::Pending if calls == 0 => self.release(&id, LaunchState::NotAccepted),
                LaunchState::Pending | LaunchState::Expired => {
                    if let Some(launch) = self.launch_mut(&id) {
                        launch.state = LaunchState::Cancelled;
                        launch.next_try = now;
                    }
                }
                LaunchState::Cancelled | LaunchState::Accepted | LaunchState::Failed | LaunchState::NotAccepted => {}
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        let running = self.tasks.iter().any(|t| t.now.may_run());
        if !safety_rule!(self.policy, active_until_rest) {
            return !running;
        }
        let open = self.launches.iter().any(|l| l.now.state.is_open());
        !running && !open && self.tasks.iter().all(|t| t.now.settled)
    }

    /// At rest: ended, and given back. What was put in place for it is removed now, and once more when no call of ours can land
    /// any more that would put it there again; until then it stays in the index of the active.
    fn rest(&mut self) {
        let keep_until = self.now + self.policy.keep_records_ms;
        let first = !self.cluster.status.is_ended();
        let stopped_at = *self.cluster.stopped_at.get_or_insert(self.now);
        // a caller lives so long, and its last call lands so much later
        let last_landing = stopped_at + 2 * self.policy.caller_life_ms;
        let last = self.cluster.active && self.now >= last_landing;
        if first || last {
            self.before.push(Action::Unpublish);
            self.before.push(Action::Discard);
        }
        if self.cluster.active && !last {
            self.due(last_landing);
        } else {
            self.cluster.active = false;
        }
        self.cluster.status = self.cluster.target;
        self.cluster.expires_at.get_or_insert(keep_until);
        self.heartbeat.expires_at.get_or_insert(keep_until);
    }
}
