//! The orphan scan: tasks and records compared both ways, a page at a time. No verdict on anything young; lists discover, they do
//! not condemn.

use super::Reconciler;
use super::reconciler::ReconcileError;
use faregate_core::model::clock::is_younger;
use faregate_core::model::{Cluster, ClusterName, Record, Stored, Task, TaskFacts, TaskId, TaskState};
use faregate_core::ports::{Expect, StoreError, TransactError, Wake, Write};

/// Clusters compared in one step.
const CLUSTERS: usize = 20;
/// Tasks described in one call (ECS takes 100).
const DESCRIBED: usize = 100;

impl Reconciler {
    /// One step; the next is a wake of its own. First the launcher's tasks are looked up in the records, then the other way.
    pub(super) async fn scan_orphans(&self, cursor: Option<&str>) -> Result<(), ReconcileError> {
        let next = match cursor.and_then(|c| c.split_once(':')) {
            Some(("records", at)) => {
                self.scan_records(Some(at).filter(|at| !at.is_empty())).await?.map(|at| format!("records:{at}"))
            }
            tasks => {
                let at = tasks.map(|(_, at)| at).filter(|at| !at.is_empty());
                match self.scan_tasks(at).await? {
                    Some(at) => Some(format!("tasks:{at}")),
                    None => Some("records:".into()),
                }
            }
        };
        if let Some(cursor) = next {
            let wake = Wake::OrphanScan { cursor: Some(cursor) };
            self.context
                .wakes
                .wake(wake, self.context.policy().orphan_scan_step_ms)
                .await
                .map_err(|e| ReconcileError::Action(e.to_string()))?;
        }
        Ok(())
    }

    async fn scan_tasks(&self, cursor: Option<&str>) -> Result<Option<String>, ReconcileError> {
        let page = self.launcher.list(cursor).await.map_err(|e| ReconcileError::Action(e.to_string()))?;
        let now = self.context.now();
        for facts in &page.tasks {
            let Ok(name) = facts.launch.cluster() else { continue };
            if is_younger(facts.accepted_at, self.context.policy().grace_period_ms, now)
                || self.context.store.task(&name, &facts.id).await?.is_some()
            {
                continue;
            }
            match self.context.store.cluster(&name).await? {
                Some(cluster) => self.record_found(&name, cluster, facts).await?,
                None => {
                    tracing::warn!(cluster = %name, task = %facts.id, "orphan task stopped: its cluster is unknown");
                    self.launcher.stop(&facts.id).await.map_err(|e| ReconcileError::Action(e.to_string()))?;
                }
            }
        }
        Ok(page.cursor)
    }

    /// A task that nobody had written down: written down, and its cluster made to look at it.
    async fn record_found(
        &self,
        name: &ClusterName,
        cluster: Stored<Cluster>,
        facts: &TaskFacts,
    ) -> Result<(), StoreError> {
        tracing::warn!(cluster = %name, task = %facts.id, "orphan task found");
        let mut seen = cluster.value;
        seen.active = true;
        seen.due_at = Some(self.context.now());
        let writes = vec![
            Write::Put { record: Record::Task(Task::new(name.clone(), facts.clone())), expect: Expect::Absent },
            Write::Put { record: Record::Cluster(Box::new(seen)), expect: Expect::Version(cluster.version) },
        ];
        self.save_if_unchanged(name, writes).await
    }

    async fn scan_records(&self, cursor: Option<&str>) -> Result<Option<String>, ReconcileError> {
        let page = self.context.store.active(cursor, CLUSTERS).await?;
        let now = self.context.now();
        let mut old = Vec::new();
        for row in page.items {
            let name = row.cluster.name;
            let tasks = self.context.store.children(&name).await?.tasks.into_iter();
            old.extend(
                tasks
                    .filter(|t| {
                        t.value.may_run()
                            && !is_younger(t.value.facts.accepted_at, self.context.policy().grace_period_ms, now)
                    })
                    .filter(|t| t.value.check_at.is_none()),
            );
        }
        for tasks in old.chunks(DESCRIBED) {
            let ids: Vec<TaskId> = tasks.iter().map(|t| t.value.facts.id.clone()).collect();
            let found = self.launcher.describe(&ids).await.map_err(|e| ReconcileError::Action(e.to_string()))?;
            let doubtful =
                tasks.iter().zip(found).filter(|(_, f)| f.as_ref().is_none_or(|f| f.state == TaskState::Stopped));
            for (task, _) in doubtful {
                self.have_checked(&task.value.cluster, task).await?;
            }
        }
        Ok(page.cursor)
    }

    /// The reconciler is to ask about this task itself.
    async fn have_checked(&self, name: &ClusterName, task: &Stored<Task>) -> Result<(), StoreError> {
        let Some(cluster) = self.context.store.cluster(name).await? else { return Ok(()) };
        let now = self.context.now();
        let mut doubted = task.value.clone();
        doubted.check_at = Some(now);
        let mut due = cluster.value;
        due.due_at = Some(now);
        let writes = vec![
            Write::Put { record: Record::Task(doubted), expect: Expect::Version(task.version) },
            Write::Put { record: Record::Cluster(Box::new(due)), expect: Expect::Version(cluster.version) },
        ];
        self.save_if_unchanged(name, writes).await
    }

    /// Saves and wakes; if others changed something meanwhile, the next scan looks again.
    async fn save_if_unchanged(&self, name: &ClusterName, writes: Vec<Write>) -> Result<(), StoreError> {
        match self.context.store.transact(writes).await {
            Ok(()) => self.context.wake(name, 0).await,
            Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
            Err(TransactError::Failed(error)) => return Err(error),
        }
        Ok(())
    }
}
