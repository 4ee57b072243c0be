//! A bound on the records of ended clusters: the oldest go, as their time to live would have them go.

use super::Enforcer;
use faregate_core::model::{Cluster, ClusterName, Ms, Record};
use faregate_core::ports::{Expect, StoreError, TransactError, Write};

/// Clusters forgotten in one step.
const STEP: usize = 200;
/// Records in one transaction.
const CHUNK: usize = 90;

/// A user's ended clusters, as their records are read, oldest first.
#[derive(Default)]
pub(super) struct Ended {
    all: usize,
    /// Those that may be forgotten.
    old: Vec<ClusterName>,
}

impl Ended {
    /// Takes a cluster in.
    pub fn see(&mut self, cluster: &Cluster, now: Ms, grace_ms: Ms) {
        if !cluster.status.is_ended() || cluster.expires_at.is_none_or(|at| at <= now) {
            return;
        }
        self.all += 1;
        // until no call of ours can land, and nothing late be learned of what it cost
        if !cluster.active && cluster.stopped_at.is_some_and(|at| now - at >= grace_ms) {
            self.old.push(cluster.name.clone());
        }
    }

    /// The oldest beyond what is kept.
    fn beyond(&self, keep: u32) -> &[ClusterName] {
        let beyond = self.all.saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        &self.old[..beyond.min(self.old.len()).min(STEP)]
    }
}

impl Enforcer {
    /// Has the oldest of a user's ended clusters forgotten, where there are more than are kept. How many.
    pub(super) async fn trim(&self, user: &str, ended: &Ended) -> Result<usize, StoreError> {
        let keep = self.context.policy().keep_records;
        if keep == 0 {
            return Ok(0);
        }
        let mut count = 0;
        for name in ended.beyond(keep) {
            count += usize::from(self.forget_early(name).await?);
        }
        if count > 0 {
            tracing::info!(user, count, keep, "ended cluster records trimmed");
        }
        Ok(count)
    }

    /// Has all records of one cluster expire now, its own last. False when not everything that it cost is in the ledger, or others
    /// wrote meanwhile: another time.
    async fn forget_early(&self, name: &ClusterName) -> Result<bool, StoreError> {
        let store = &self.context.store;
        let Some(cluster) = store.cluster(name).await? else { return Ok(false) };
        let children = store.children(name).await?;
        if cluster.value.active || !children.tasks.iter().all(|task| task.value.settled) {
            return Ok(false);
        }
        let expired = Some(self.context.now());
        let put = |record, version| Write::Put { record, expect: Expect::Version(version) };
        let mut writes = Vec::new();
        for mut task in children.tasks {
            task.value.expires_at = expired;
            writes.push(put(Record::Task(task.value), task.version));
        }
        for mut launch in children.launches {
            launch.value.expires_at = expired;
            writes.push(put(Record::Launch(launch.value), launch.version));
        }
        if let Some(mut heartbeat) = children.heartbeat {
            heartbeat.value.expires_at = expired;
            writes.push(put(Record::Heartbeat(heartbeat.value), heartbeat.version));
        }
        let mut last = cluster.value;
        last.expires_at = expired;
        writes.push(put(Record::Cluster(Box::new(last)), cluster.version));
        for chunk in writes.chunks(CHUNK) {
            match store.transact(chunk.to_vec()).await {
                Ok(()) => {}
                Err(TransactError::Conflicts(_) | TransactError::Contention) => return Ok(false),
                Err(TransactError::Failed(error)) => return Err(error),
            }
        }
        Ok(true)
    }
}
