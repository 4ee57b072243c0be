//! Announcements of the host that it will stop tasks, to renew what they run on.

use super::{ServiceError, TaskEvents};
use faregate_core::model::{Cluster, ClusterName, Record, TaskId, TaskRole};
use faregate_core::ports::{Expect, Retries, TransactError, Write};
use futures::stream::{self, StreamExt, TryStreamExt};

/// Clusters in a page of the index.
const PAGE: usize = 100;
/// Clusters that are read at once.
const AT_ONCE: usize = 20;

impl TaskEvents {
    /// Takes in that these tasks will be stopped, in the announcer's words for when: the next enforcement run warns the users whose schedulers
    /// are among them; workers are replaced. It looks through everything active, as no record leads from a task to its cluster, and it comes
    /// once in weeks.
    pub async fn announce_retirement(&self, tasks: &[TaskId], at: &str) -> Result<(), ServiceError> {
        let mut cursor = None;
        loop {
            let page = self.store.active(cursor.as_deref(), PAGE).await?;
            let running = page.items.into_iter().filter(|row| row.cluster.wants_to_run()).map(|row| row.cluster.name);
            let looks = running.map(|name| async move {
                match self.has_scheduler_among(&name, tasks).await? {
                    true => self.scheduler_retires(&name, at).await,
                    false => Ok(()),
                }
            });
            stream::iter(looks).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn has_scheduler_among(&self, name: &ClusterName, tasks: &[TaskId]) -> Result<bool, ServiceError> {
        let children = self.store.children(name).await?;
        let mut facts = children.tasks.iter().map(|task| &task.value.facts);
        Ok(facts.any(|facts| facts.role == TaskRole::Scheduler && tasks.contains(&facts.id)))
    }

    async fn scheduler_retires(&self, name: &ClusterName, at: &str) -> Result<(), ServiceError> {
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let Some(stored) = self.store.cluster(name).await? else { return Ok(()) };
            if stored.value.scheduler_retires.as_deref() == Some(at) {
                return Ok(());
            }
            let cluster = Cluster { scheduler_retires: Some(at.to_owned()), ..stored.value };
            let expect = Expect::Version(stored.version);
            match self.store.transact(vec![Write::Put { record: Record::Cluster(Box::new(cluster)), expect }]).await {
                Ok(()) => {
                    tracing::warn!(cluster = %name, at, "scheduler retires");
                    return Ok(());
                }
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(ServiceError::Conflict(format!("cluster `{name}` is being worked on; the announcement is to come again")))
    }
}
