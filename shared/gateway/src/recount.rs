//! Counters recomputed from the records: drift is repaired, and said so. A step at a time, as the records are many.

use super::trim::Ended;
use super::{Enforcer, ServiceError};
use faregate_core::limits::reservations::reserved_by_workers;
use faregate_core::model::clock::is_ahead;
use faregate_core::model::{Cluster, ClusterName, Counts, Scope, Stored, Usage};
use faregate_core::ports::{StoreError, TransactError};
use faregate_core::safety_rule;
use futures::stream::{self, StreamExt};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Clusters read at once.
const PAGE: usize = 100;
/// Users recounted in one step; of groups, which are larger, only one.
const USERS: usize = 20;
/// Reads under way at once.
const AT_ONCE: usize = 16;

/// What of a round of recounts is left. A caller keeps it in memory: should it be lost, another round begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecountCursor {
    users: Vec<String>,
    groups: Vec<String>,
}

impl Enforcer {
    /// One step of a round over all users and groups that have an active cluster; none begins one. How many counters were repaired, and
    /// what is left; none = the round is over.
    pub async fn recount_step(
        &self,
        cursor: Option<RecountCursor>,
    ) -> Result<(usize, Option<RecountCursor>), ServiceError> {
        let mut left = match cursor {
            Some(left) => left,
            None => self.whose_clusters_are_active().await?,
        };
        let mut repaired = 0;
        if left.users.is_empty()
            && let Some(group) = left.groups.pop()
        {
            repaired += usize::from(self.recount_group(&group).await?);
        }
        for _ in 0..USERS {
            let Some(user) = left.users.pop() else { break };
            repaired += usize::from(self.recount(&user).await?);
        }
        Ok((repaired, Some(left).filter(|left| *left != RecountCursor::default())))
    }

    /// A whole round.
    pub async fn recount_active(&self) -> Result<usize, ServiceError> {
        let (mut repaired, mut cursor) = self.recount_step(None).await?;
        while cursor.is_some() {
            let (more, rest) = self.recount_step(cursor).await?;
            repaired += more;
            cursor = rest;
        }
        Ok(repaired)
    }

    async fn whose_clusters_are_active(&self) -> Result<RecountCursor, StoreError> {
        let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
        self.each_active(|cluster| {
            for key in cluster.reserved.keys {
                match key {
                    Scope::User(user) => drop(users.insert(user)),
                    Scope::Group(group) => drop(groups.insert(group)),
                    Scope::Default => {}
                }
            }
        })
        .await?;
        Ok(RecountCursor { users: users.into_iter().rev().collect(), groups: groups.into_iter().rev().collect() })
    }

    async fn each_active(&self, mut each: impl FnMut(Cluster) + Send) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page = self.context.store.active(cursor.as_deref(), PAGE).await?;
            page.items.into_iter().for_each(|row| each(row.cluster));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Recounts what a user has in use: the counter is read first, then the items, consistently, and written on the counter's
    /// version, so that whatever was reserved or given back in between makes the write fail. True when it was repaired. As all of the
    /// user's clusters are read for that, it also sees to the bound on the ended ones.
    pub async fn recount(&self, user: &str) -> Result<bool, ServiceError> {
        let scope = Scope::User(user.to_owned());
        let before = self.counter(&scope).await?;
        let mut sum = Counts::default();
        let key = self.context.ring().user_key(user);
        let (mut ended, now) = (Ended::default(), self.context.now());
        let mut cursor = None;
        loop {
            let page = self.context.store.clusters(&key, cursor.as_deref(), PAGE).await?;
            page.items.iter().for_each(|cluster| ended.see(&cluster.value, now, self.context.policy().grace_period_ms));
            let counted = |c: &&Stored<Arc<Cluster>>| c.value.reserved.keys.contains(&scope);
            for cluster in page.items.iter().filter(counted) {
                sum = sum + cluster.value.reserved.counts;
                if cluster.value.active {
                    self.check_charge(&cluster.value).await?;
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let repaired = self.repair(before, sum).await?;
        self.trim(user, &ended).await?;
        Ok(repaired)
    }

    /// Recounts what a group has in use. Nothing but the index knows its clusters, and that may lag behind: a counter that was changed
    /// lately is left for another time.
    pub async fn recount_group(&self, group: &str) -> Result<bool, ServiceError> {
        let scope = Scope::Group(group.to_owned());
        let before = self.counter(&scope).await?;
        // a write may land as late as its caller lives and another call of his besides, and says when he made it; if the clock was set
        // since, that may have been just before
        let changed_at = Some(before.value.changed_at).filter(|at| !is_ahead(*at, self.context.now())).unwrap_or(0);
        let changed_at = changed_at.max(self.context.host.steady_since());
        let last_seen = changed_at + 2 * self.context.policy().max_call_ms + self.context.policy().visibility_ms;
        if self.context.now() < last_seen {
            return Ok(false);
        }
        let mut names: Vec<ClusterName> = Vec::new();
        self.each_active(|cluster| {
            if cluster.reserved.keys.contains(&scope) {
                names.push(cluster.name);
            }
        })
        .await?;
        let reads: Vec<_> = names.iter().map(|name| self.context.store.cluster(name)).collect();
        let mut clusters = stream::iter(reads).buffer_unordered(AT_ONCE);
        let mut sum = Counts::default();
        while let Some(cluster) = clusters.next().await {
            sum = sum + cluster?.map_or(Counts::default(), |c| c.value.reserved.counts);
        }
        drop(clusters);
        self.repair(before, sum).await
    }

    async fn counter(&self, scope: &Scope) -> Result<Stored<Usage>, StoreError> {
        let read = self.context.store.usage(std::slice::from_ref(scope)).await?.pop();
        read.ok_or_else(|| StoreError::Failed(format!("nothing was read of the counter of {scope}")))
    }

    /// Is what a cluster is counted for what its launches and tasks come to? If not, the reconciler makes it so.
    async fn check_charge(&self, cluster: &Cluster) -> Result<(), StoreError> {
        let store = &self.context.store;
        let children = store.children(&cluster.name).await?;
        let workers =
            reserved_by_workers(children.launches.iter().map(|l| &l.value), children.tasks.iter().map(|t| &t.value));
        let counted = Counts { clusters: 0, ..cluster.reserved.counts };
        if workers == counted {
            return Ok(());
        }
        // both were read one after the other: only if nothing was written in between it is so
        let again = store.cluster(&cluster.name).await?;
        if again
            .is_some_and(|again| again.value.reserved == cluster.reserved && again.value.launches == cluster.launches)
        {
            tracing::error!(cluster = %cluster.name, ?counted, ?workers, "counter drift of a cluster found; reconcile repairs it");
            self.context.wake(&cluster.name, 0).await;
        }
        Ok(())
    }

    async fn repair(&self, before: Stored<Usage>, sum: Counts) -> Result<bool, ServiceError> {
        let store = &self.context.store;
        if before.value.counts == sum {
            return Ok(false);
        }
        let version = match safety_rule!(self.context.policy(), recount_on_version) {
            true => before.version,
            false => self.counter(&before.value.scope).await?.version,
        };
        let usage = Usage { counts: sum, ..before.value.clone() };
        match store.put_usage(&usage, version).await {
            Ok(()) => {
                let (scope, was) = (&usage.scope, before.value.counts);
                tracing::error!(%scope, ?was, is = ?sum, "counter drift repaired");
                Ok(true)
            }
            // something was reserved meanwhile: another time
            Err(TransactError::Conflicts(_) | TransactError::Contention) => Ok(false),
            Err(TransactError::Failed(error)) => Err(error.into()),
        }
    }
}
