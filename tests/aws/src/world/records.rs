//! Everything that is written down, read when no fault is in the way any more.

use super::stage::Stage;
use crate::inside::Inside;
use faregate_core::model::{Cluster, ClusterName, Scope, Usage};
use faregate_core::ports::{Children, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// The records of one world.
pub struct Records {
    pub clusters: BTreeMap<ClusterName, (Cluster, Children)>,
    /// Clusters in the index of the active.
    pub index: BTreeSet<ClusterName>,
    pub usage: BTreeMap<Scope, Usage>,
    /// Clusters whose credentials are in S3.
    pub credentials: BTreeSet<ClusterName>,
}

impl Records {
    pub async fn read(inside: &Inside, stage: &Stage) -> Result<Records, StoreError> {
        let users = stage.lock().setup.users.clone();
        let (store, mut clusters) = (&inside.store, BTreeMap::new());
        let mut scopes = BTreeSet::new();
        for user in &users {
            let page = store.clusters(&inside.ring.user_key(&user.name), None, 500).await?;
            for cluster in page.items {
                let cluster = Cluster::clone(&cluster.value);
                let children = store.children(&cluster.name).await?;
                clusters.insert(cluster.name.clone(), (cluster, children));
            }
            scopes.insert(Scope::User(user.name.clone()));
            scopes.extend(user.groups.iter().cloned().map(Scope::Group));
        }
        let mut index = BTreeSet::new();
        let mut cursor = None;
        loop {
            let page = store.active(cursor.as_deref(), 100).await?;
            index.extend(page.items.into_iter().map(|row| row.cluster.name));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let scopes: Vec<Scope> = scopes.into_iter().collect();
        let usage = store.usage(&scopes).await?.into_iter().map(|usage| (usage.value.scope.clone(), usage.value));
        Ok(Records { clusters, index, usage: usage.collect(), credentials: inside.credentials().await })
    }
}
