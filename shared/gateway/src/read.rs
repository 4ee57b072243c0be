//! What a user sees of their clusters.

use super::{Clusters, ServiceError};
use faregate_core::model::{Cluster, ClusterName, Identity, Ms, Record, Status, Stored, Version};
use faregate_core::ports::{Expect, Retries, TransactError, Write};
use faregate_core::reconcile::enforce::is_news;
use futures::stream::{self, StreamExt};
use std::sync::Arc;

/// Clusters read at once.
const PAGE: usize = 500;
/// Clusters noted as asked about at once.
const AT_ONCE: usize = 8;
/// `?wait` looks again at least this often, should an announcement have been missed.
const LOOK_AGAIN_MS: Ms = 500;

impl Clusters {
    /// Is the store there?
    pub async fn health(&self) -> Result<(), String> {
        self.context.store.limits().await.map(drop).map_err(|e| e.to_string())
    }

    /// One of the caller's clusters: 404 when there is none of that name, 403 when it is another's.
    pub async fn get(&self, who: &Identity, name: &ClusterName) -> Result<Cluster, ServiceError> {
        self.own(who, name).await.map(|(cluster, _)| cluster)
    }

    /// The same, and its version.
    pub(super) async fn own(&self, who: &Identity, name: &ClusterName) -> Result<(Cluster, Version), ServiceError> {
        let stored = self.context.store.cluster(name).await?.ok_or_else(|| not_found(name))?;
        if stored.value.user != who.name {
            return Err(not_yours(name));
        }
        let Stored { value, version } = self.note_asked(stored).await;
        Ok((value, version))
    }

    /// The same, once it has left PENDING, or after a while. A cluster that failed to start is a [`ServiceError::Conflict`].
    pub async fn wait(&self, who: &Identity, name: &ClusterName) -> Result<Cluster, ServiceError> {
        let host = &self.context.host;
        let deadline = host.uptime() + self.context.policy().wait_ms;
        loop {
            let cluster = self.get(who, name).await?;
            if cluster.target == Status::Failed {
                let why = cluster.reason.as_ref().map_or("no reason is known", |r| r.message.as_str());
                return Err(ServiceError::Conflict(format!("Cluster '{name}' failed to start: {why}")));
            }
            let left = deadline - host.uptime();
            if cluster.status != Status::Pending || left <= 0 {
                return Ok(cluster);
            }
            host.changed(name, left.min(LOOK_AGAIN_MS)).await;
        }
    }

    /// The caller's clusters in any of these states, oldest first.
    pub async fn list(&self, who: &Identity, statuses: &[Status]) -> Result<Vec<Arc<Cluster>>, ServiceError> {
        let user = self.context.ring().user_key(&who.name);
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.context.store.clusters(&user, cursor.as_deref(), PAGE).await?;
            let own = page.items.into_iter().filter(|s| s.value.user == who.name && statuses.contains(&s.value.status));
            let own: Vec<_> = own.collect();
            self.note_listed(&own).await;
            found.extend(own.into_iter().map(|s| s.value));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}

impl Clusters {
    async fn note_listed(&self, listed: &[Stored<Arc<Cluster>>]) {
        let (now, policy) = (self.context.now(), self.context.policy());
        let news = listed.iter().filter(|s| is_news(&s.value, now, policy));
        let noted = news.map(|s| self.note_asked(Stored { value: Cluster::clone(&s.value), version: s.version }));
        let noted: Vec<_> = noted.collect();
        stream::iter(noted).buffer_unordered(AT_ONCE).for_each(async |_| {}).await;
    }

    /// Writes down that its owner asks for a cluster, at most once a minute and until a client has connected: one that nobody asks for is
    /// stopped. The record as it is then. Whoever asks is answered also when it cannot be written.
    async fn note_asked(&self, mut stored: Stored<Cluster>) -> Stored<Cluster> {
        let now = self.context.now();
        let mut retries = Retries::new(&*self.context.host);
        while is_news(&stored.value, now, self.context.policy()) && retries.next().await {
            let cluster = Cluster { asked_at: Some(now), ..stored.value.clone() };
            let record = Record::Cluster(Box::new(cluster.clone()));
            let write = Write::Put { record, expect: Expect::Version(stored.version) };
            match self.context.store.transact(vec![write]).await {
                Ok(()) => return Stored { value: cluster, version: stored.version + 1 },
                Err(TransactError::Conflicts(conflicts)) => {
                    let held = conflicts.into_iter().find_map(|conflict| conflict.held);
                    let Some(Stored { value: Record::Cluster(held), version }) = held else { return stored };
                    stored = Stored { value: *held, version };
                }
                Err(error) => {
                    tracing::debug!(cluster = %stored.value.name, %error, "not noted that a cluster was asked about")
                }
            }
        }
        stored
    }
}

pub(super) fn not_found(name: &ClusterName) -> ServiceError {
    ServiceError::NotFound(format!("Cluster '{name}' not found"))
}

pub(super) fn not_yours(name: &ClusterName) -> ServiceError {
    ServiceError::Forbidden(format!("Cluster '{name}' is not yours"))
}
