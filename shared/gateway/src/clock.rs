//! The clock was set, and the host has noticed.

use super::Enforcer;
use faregate_core::model::{Cluster, ClusterName, Ms, Record};
use faregate_core::ports::{Expect, Retries, StoreError, TransactError, Write};
use std::sync::PoisonError;

/// Clusters read at once.
const PAGE: usize = 100;
impl Enforcer {
    /// The clock was set by so much (forward above zero). Clusters have lived, and shall live, for as long as before: the moments that
    /// they count from move along. All that is active is looked at again, as what was due may lie ahead now. How many those are.
    pub async fn clock_was_set(&self, by: Ms) -> Result<usize, StoreError> {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
        let active = self.active_clusters().await?;
        for cluster in &active {
            if cluster.wants_to_run() {
                self.shift(&cluster.name, by).await?;
            }
            self.context.wake(&cluster.name, 0).await;
        }
        Ok(active.len())
    }

    /// Has everything that is active looked at: what was due before this start may lie ahead by the clock of now.
    pub async fn wake_active(&self) -> Result<usize, StoreError> {
        let active = self.active_clusters().await?;
        for cluster in &active {
            self.context.wake(&cluster.name, 0).await;
        }
        Ok(active.len())
    }

    async fn active_clusters(&self) -> Result<Vec<Cluster>, StoreError> {
        let (mut cursor, mut active) = (None, Vec::new());
        loop {
            let page = self.context.store.active(cursor.as_deref(), PAGE).await?;
            active.extend(page.items.into_iter().map(|row| row.cluster));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(active);
            }
        }
    }

    async fn shift(&self, name: &ClusterName, by: Ms) -> Result<(), StoreError> {
        let mut retries = Retries::new(&*self.context.host);
        while retries.next().await {
            let Some(stored) = self.context.store.cluster(name).await? else { return Ok(()) };
            let mut cluster = stored.value;
            cluster.shift(by);
            cluster.due_at = Some(self.context.now());
            let expect = Expect::Version(stored.version);
            let write = Write::Put { record: Record::Cluster(Box::new(cluster)), expect };
            match self.context.store.transact(vec![write]).await {
                Ok(()) => return Ok(()),
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error),
            }
        }
        tracing::warn!(cluster = %name, "lifetime not moved with the clock: others write the cluster's record all the time");
        Ok(())
    }
}
