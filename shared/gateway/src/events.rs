//! What the launcher tells by itself: a task changed.

use super::{Gateway, Refusal, jitter};
use faregate_core::model::{Cluster, ClusterName, Policy, Record, Task, TaskFacts, TaskState};
use faregate_core::ports::{Expect, Ports, TransactError, Wake, Write};
use faregate_core::safety_rule;

/// Tries when others write the same task.
const TRIES: u32 = 6;

impl Gateway {
    /// Takes an event in.
    pub async fn task_event(&self, facts: &TaskFacts) -> Result<(), Refusal> {
        task_event(self.ports(), self.policy(), facts).await
    }
}

/// Takes an event in: at least once, in any order; the facts' version decides. Writes the task's item only (that
/// of a settled task makes its cluster due), and wakes its cluster, also when nothing was new: the last time may have been lost between the
/// two. It takes no secrets: whoever does nothing else needs none.
pub async fn task_event(ports: &Ports, policy: &Policy, facts: &TaskFacts) -> Result<(), Refusal> {
    let name = facts.launch.cluster().map_err(|e| Refusal::Invalid(format!("launch `{}`: {e}", facts.launch)))?;
    for _ in 0..TRIES {
        let known = ports.store.task(&name, &facts.id).await?;
        let (task, expect, changed) = match known {
            Some(stored) => {
                let mut task = stored.value;
                let changed = task.apply_facts(facts, ports.host.now());
                (task, Expect::Version(stored.version), changed)
            }
            None => {
                // an event may come before the launch's reply, even the end's; and it may come when all is forgotten
                let mut task = Task::new(name.clone(), facts.clone());
                task.facts.believe(facts, ports.host.now());
                task.expires_at = Some(ports.host.now() + policy.keep_records_ms);
                (task, Expect::Absent, true)
            }
        };
        if !changed {
            if safety_rule!(policy, event_always_wakes) {
                wake_for_event(ports, &name).await?;
            }
            return Ok(());
        }
        if facts.state == TaskState::Stopped {
            tracing::info!(cluster = %name, task = %facts.id, exit_code = facts.exit_code, "a task ended");
        }
        let mut writes = Vec::new();
        if task.settled && safety_rule!(policy, corrections_are_due) {
            writes.extend(make_due(ports, &name).await?);
        }
        writes.push(Write::Put { record: Record::Task(task), expect });
        match ports.store.transact(writes).await {
            Ok(()) => return wake_for_event(ports, &name).await,
            Err(TransactError::Conflicts(_) | TransactError::Contention) => jitter(&*ports.host, 50).await,
            Err(TransactError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(Refusal::Conflict(format!("task `{}` is being worked on; the event is to come again", facts.id)))
}

/// What is learned of a task that is settled changes its bill, and nobody looks at such a task by himself, least of all when its
/// cluster has ended: somebody must look at it.
async fn make_due(ports: &Ports, name: &ClusterName) -> Result<Option<Write>, Refusal> {
    let Some(cluster) = ports.store.cluster(name).await? else { return Ok(None) };
    let due = Cluster { active: true, due_at: Some(ports.host.now()), ..cluster.value };
    let expect = Expect::Version(cluster.version);
    Ok(Some(Write::Put { record: Record::Cluster(Box::new(due)), expect }))
}

/// Other events set no `due_at`, so no pass finds what a wake that was not sent leaves undone: the event is to come again.
async fn wake_for_event(ports: &Ports, name: &ClusterName) -> Result<(), Refusal> {
    ports.host.announce(name);
    let sent = ports.wakes.wake(Wake::Cluster(name.clone()), 0).await;
    sent.map_err(|error| Refusal::Unavailable(error.to_string()))
}
