//! The scheduler's last heartbeat, taken into the tasks.

use super::changes::Changes;

/// Takes in the wanted count, and what the heartbeat says of workers. Clears the heartbeat's own `due_at`, unless the transaction has no
/// room for all of it.
pub(super) fn apply(changes: &mut Changes) {
    changes.heartbeat.accepting &= changes.cluster.wants_to_run();
    if !changes.cluster.wants_to_run() {
        changes.heartbeat.due_at = None;
        return;
    }
    let (now, policy) = (changes.now, changes.policy);
    let Some(content) = changes.snapshot.heartbeat.value.content.as_ref() else { return };
    let mut left = changes.changes_left();
    let unknown = changes.heartbeat.unknown.clone();
    for task in changes.tasks_mut() {
        let was = task.clone();
        task.apply_heartbeat(content, now, policy);
        // a large content named it before it had a record
        if task.registered_at.is_none() && unknown.contains(&task.facts.id.worker_name()) {
            task.registered_at = Some(now);
        }
        if *task == was {
            continue;
        }
        if left == 0 {
            *task = was;
            return;
        }
        left -= 1;
    }
    changes.cluster.count = content.count;
    changes.heartbeat.due_at = None;
}
