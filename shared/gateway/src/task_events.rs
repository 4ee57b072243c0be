//! What the launcher tells by itself: a task changed.

use super::ServiceError;
use faregate_core::model::{Cluster, ClusterName, Policy, Record, Task, TaskFacts, TaskState};
use faregate_core::ports::{Expect, Host, Retries, Store, TransactError, Wake, Wakes, Write};
use faregate_core::safety_rule;
use std::sync::Arc;

/// Takes in what the launcher tells. It takes no secrets: whoever does nothing else needs none.
pub struct TaskEvents {
    pub(super) store: Arc<dyn Store>,
    wakes: Arc<dyn Wakes>,
    pub(super) host: Arc<dyn Host>,
    policy: Policy,
}

impl TaskEvents {
    /// Over these records.
    pub fn new(store: Arc<dyn Store>, wakes: Arc<dyn Wakes>, host: Arc<dyn Host>, policy: Policy) -> Self {
        TaskEvents { store, wakes, host, policy }
    }

    /// Takes an event in: at least once, in any order; the facts' version decides. Writes the task's item only (that
    /// of a settled task makes its cluster due), and wakes its cluster, also when nothing was new: the last time may have been lost between the
    /// two. True when the task has begun to run by it, as far as was known.
    pub async fn apply(&self, facts: &TaskFacts) -> Result<bool, ServiceError> {
        let name =
            facts.launch.cluster().map_err(|e| ServiceError::Invalid(format!("launch `{}`: {e}", facts.launch)))?;
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let known = self.store.task(&name, &facts.id).await?;
            let ran = known.as_ref().is_some_and(|task| task.value.facts.state != TaskState::Starting);
            let (task, expect, changed) = match known {
                Some(stored) => {
                    let mut task = stored.value;
                    let changed = task.apply_facts(facts, self.host.now());
                    (task, Expect::Version(stored.version), changed)
                }
                None => {
                    // an event may come before the launch's reply, even the end's; and it may come when all is forgotten
                    let mut task = Task::new(name.clone(), facts.clone());
                    task.facts.believe(facts, self.host.now());
                    task.expires_at = Some(self.host.now() + self.policy.keep_records_ms);
                    (task, Expect::Absent, true)
                }
            };
            if !changed {
                if safety_rule!(self.policy, event_always_wakes) {
                    self.wake(&name).await?;
                }
                return Ok(false);
            }
            if facts.state == TaskState::Stopped {
                tracing::info!(cluster = %name, task = %facts.id, exit_code = facts.exit_code, "task ended");
            }
            let mut writes = Vec::new();
            if task.settled && safety_rule!(self.policy, corrections_are_due) {
                writes.extend(self.make_due(&name).await?);
            }
            writes.push(Write::Put { record: Record::Task(task), expect });
            match self.store.transact(writes).await {
                Ok(()) => {
                    self.wake(&name).await?;
                    return Ok(!ran && facts.state == TaskState::Running);
                }
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(ServiceError::Conflict(format!("task `{}` is being worked on; the event is to come again", facts.id)))
    }

    /// What is learned of a task that is settled changes its bill, and nobody looks at such a task by himself, least of all when its
    /// cluster has ended: somebody must look at it.
    async fn make_due(&self, name: &ClusterName) -> Result<Option<Write>, ServiceError> {
        let Some(cluster) = self.store.cluster(name).await? else { return Ok(None) };
        let due = Cluster { active: true, due_at: Some(self.host.now()), ..cluster.value };
        let expect = Expect::Version(cluster.version);
        Ok(Some(Write::Put { record: Record::Cluster(Box::new(due)), expect }))
    }

    /// Other events set no `due_at`, so no pass finds what a wake that was not sent leaves undone: the event is to come again.
    async fn wake(&self, name: &ClusterName) -> Result<(), ServiceError> {
        self.host.announce(name);
        let sent = self.wakes.wake(Wake::Cluster(name.clone()), 0).await;
        sent.map_err(|error| ServiceError::Unavailable(error.to_string()))
    }
}
