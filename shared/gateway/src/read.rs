//! What a user sees of their clusters.

use super::{Clusters, Refusal};
use faregate_core::model::{Cluster, ClusterName, Identity, Ms, Status, Version};
use std::sync::Arc;

/// Clusters read at once.
const PAGE: usize = 500;
/// `?wait` looks again at least this often, should an announcement have been missed.
const LOOK_AGAIN_MS: Ms = 500;

impl Clusters {
    /// Is the store there?
    pub async fn health(&self) -> Result<(), String> {
        self.context.store.limits().await.map(drop).map_err(|e| e.to_string())
    }

    /// One of the caller's clusters: 404 when there is none of that name, 403 when it is another's.
    pub async fn get(&self, who: &Identity, name: &ClusterName) -> Result<Cluster, Refusal> {
        self.own(who, name).await.map(|(cluster, _)| cluster)
    }

    /// The same, and its version.
    pub(super) async fn own(&self, who: &Identity, name: &ClusterName) -> Result<(Cluster, Version), Refusal> {
        let stored = self.context.store.cluster(name).await?.ok_or_else(|| not_found(name))?;
        if stored.value.user != who.name {
            return Err(not_yours(name));
        }
        Ok((stored.value, stored.version))
    }

    /// The same, once it has left PENDING, or after a while. A cluster that failed to start is a [`Refusal::Conflict`].
    pub async fn wait(&self, who: &Identity, name: &ClusterName) -> Result<Cluster, Refusal> {
        let host = &self.context.host;
        let deadline = host.uptime() + self.context.policy().wait_ms;
        loop {
            let cluster = self.get(who, name).await?;
            if cluster.target == Status::Failed {
                let why = cluster.reason.as_ref().map_or("no reason is known", |r| r.message.as_str());
                return Err(Refusal::Conflict(format!("Cluster '{name}' failed to start: {why}")));
            }
            let left = deadline - host.uptime();
            if cluster.status != Status::Pending || left <= 0 {
                return Ok(cluster);
            }
            host.changed(name, left.min(LOOK_AGAIN_MS)).await;
        }
    }

    /// The caller's clusters in any of these states, oldest first.
    pub async fn list(&self, who: &Identity, statuses: &[Status]) -> Result<Vec<Arc<Cluster>>, Refusal> {
        let user = self.context.ring().user_key(&who.name);
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.context.store.clusters(&user, cursor.as_deref(), PAGE).await?;
            let own = page.items.into_iter().map(|s| s.value);
            found.extend(own.filter(|c| c.user == who.name && statuses.contains(&c.status)));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}

pub(super) fn not_found(name: &ClusterName) -> Refusal {
    Refusal::NotFound(format!("Cluster '{name}' not found"))
}

pub(super) fn not_yours(name: &ClusterName) -> Refusal {
    Refusal::Forbidden(format!("Cluster '{name}' is not yours"))
}
