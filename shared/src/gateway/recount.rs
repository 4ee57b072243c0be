//! Counters recomputed from the records: drift is repaired, and said so.

use super::{Gateway, Refusal};
use crate::model::{Cluster, Counts, LaunchState, Scope, Usage};
use crate::ports::{Children, TransactError};
use std::collections::BTreeSet;

/// Clusters read at once.
const PAGE: usize = 100;

impl Gateway {
    /// Recounts every user who has an active cluster. How many counters were repaired.
    pub async fn recount_active(&self) -> Result<usize, Refusal> {
        let mut users = BTreeSet::new();
        let mut cursor = None;
        loop {
            let page = self.ports().store.active(cursor.as_deref(), PAGE).await?;
            users.extend(page.items.into_iter().map(|row| row.cluster.user));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let mut repaired = 0;
        for user in users {
            repaired += usize::from(self.recount(&user).await?);
        }
        Ok(repaired)
    }

    /// Recounts what a user has in use: the counter is read first, then the items, consistently, and written on the counter's
    /// version, so that whatever was charged or given back in between makes the write fail. True when it was repaired.
    pub async fn recount(&self, user: &str) -> Result<bool, Refusal> {
        let store = &self.ports().store;
        let scope = Scope::User(user.to_owned());
        let Some(before) = store.usage(std::slice::from_ref(&scope)).await?.pop() else { return Ok(false) };
        let key = self.ring().user_key(user);
        let mut sum = Counts::default();
        let mut cursor = None;
        loop {
            let page = store.clusters(&key, cursor.as_deref(), PAGE).await?;
            for cluster in page.items.iter().map(|c| &c.value) {
                if cluster.charged.keys.contains(&scope) && (cluster.active || cluster.charged.counts.clusters > 0) {
                    sum = sum + charge(cluster, &store.children(&cluster.name).await?);
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let version = match store.usage(std::slice::from_ref(&scope)).await?.pop() {
            Some(now) if !self.policy().rules.recount_on_version => now.version,
            _ => before.version,
        };
        if before.value.counts == sum {
            return Ok(false);
        }
        match store.put_usage(&Usage { scope, counts: sum, changed_at: before.value.changed_at }, version).await {
            Ok(()) => {
                tracing::error!(user, was = ?before.value.counts, is = ?sum, "a counter had drifted and was repaired");
                Ok(true)
            }
            // somebody was charged meanwhile: another time
            Err(TransactError::Conflicts(_) | TransactError::Contention) => Ok(false),
            Err(TransactError::Failed(error)) => Err(error.into()),
        }
    }
}

/// What one cluster counts for, by its records.
fn charge(cluster: &Cluster, children: &Children) -> Counts {
    let mut sum = if cluster.charged.counts.clusters > 0 { Counts::CLUSTER } else { Counts::default() };
    for launch in children.launches.iter().map(|l| &l.value) {
        let tasks = children.tasks.iter().map(|t| &t.value).filter(|t| t.facts.launch == launch.id);
        let units = match launch.state {
            LaunchState::Pending | LaunchState::Expired | LaunchState::Cancelled => i64::from(launch.spec.count),
            LaunchState::Accepted => tasks.filter(|t| !t.settled && !t.stray).count() as i64,
            LaunchState::Failed | LaunchState::NotAccepted => 0,
        };
        sum = sum + launch.unit * units;
    }
    sum
}
