//! What a heartbeat says of the workers, taken into the tasks.

use super::draft::Draft;
use crate::model::{Content, Ms, Policy, Reason, ReasonCode, Task, TaskRole};
use crate::safety_rule;

/// Takes a heartbeat's content into one task.
///
/// `closed` is a set, not a list of events: after `client.restart()`, PipInstall or a nanny's memory kill a live worker is named
/// closed for seconds. Closed with a live task is restarting.
pub fn observe(task: &mut Task, content: &Content, now: Ms, policy: &Policy) {
    // of one that is at rest it matters only whether it had connected, until that is judged
    let judged = task.settled && (task.registered_at.is_some() || task.failed_start);
    if task.facts.role != TaskRole::Worker || judged {
        return;
    }
    let name = task.facts.id.worker_name();
    let (active, closing, closed) =
        (content.active.contains(&name), content.closing.contains(&name), content.closed.contains(&name));
    if !(active || closing || closed) {
        return;
    }
    task.registered_at.get_or_insert(now);
    if closing {
        task.leaving = true;
        (task.closed_since, task.late_at) = (None, None);
    } else if active {
        if task.leaving || task.closed_since.is_some() {
            task.check_at = None;
        }
        task.leaving = false;
        (task.closed_since, task.late_at) = (None, None);
    } else if task.may_run() {
        task.closed_since.get_or_insert(now);
        if !safety_rule!(policy, closed_is_restarting) && task.stopping.is_none() {
            task.stopping = Some(Reason::new(ReasonCode::WorkerLost, "the scheduler lost its worker"));
            task.next_stop = Some(now);
        }
    }
}

impl Draft<'_> {
    /// Takes the heartbeat in: the wanted count, and what it says of workers. Clears the heartbeat's own `due_at`.
    pub fn hear(&mut self) {
        self.heartbeat.accepting &= self.cluster.wants_to_run();
        if !self.cluster.wants_to_run() {
            self.heartbeat.due_at = None;
            return;
        }
        let (now, policy) = (self.now, self.policy);
        let Some(content) = self.view.heartbeat.value.content.as_ref() else { return };
        let mut room = self.room();
        for task in self.tasks.iter_mut().map(|t| &mut t.now) {
            let was = task.clone();
            observe(task, content, now, policy);
            // a large content named it before it had a record
            if task.registered_at.is_none() && self.heartbeat.unknown.contains(&task.facts.id.worker_name()) {
                task.registered_at = Some(now);
            }
            if *task == was {
                continue;
            }
            if room == 0 {
                *task = was;
                return; // and `due_at` stays, for the next turn
            }
            room -= 1;
        }
        self.cluster.count = content.count;
        self.heartbeat.due_at = None;
    }
}
