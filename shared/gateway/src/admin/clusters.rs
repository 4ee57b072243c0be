//! Everyone's clusters.

use super::super::ServiceError;
use super::{Admin, ClusterRow};
use faregate_core::model::{Cluster, Status, UserKey};
use serde::Serialize;

/// Clusters read at once.
const PAGE: usize = 100;

/// Which clusters.
#[derive(Clone, Debug, Default)]
pub struct ClusterFilter {
    /// Of this user; none = everyone's.
    pub user: Option<String>,
    /// The user's partition, where the key ring that makes it is at hand: ended clusters are found there alone.
    pub user_key: Option<UserKey>,
    /// Of members of this group.
    pub group: Option<String>,
    /// In these states; none = those that have not ended.
    pub statuses: Vec<Status>,
}

impl ClusterFilter {
    fn takes(&self, cluster: &Cluster) -> bool {
        self.user.as_ref().is_none_or(|user| cluster.user == *user)
            && self.group.as_ref().is_none_or(|group| cluster.groups.contains(group))
            && if self.statuses.is_empty() {
                !cluster.status.is_ended()
            } else {
                self.statuses.contains(&cluster.status)
            }
    }
}

/// Clusters, oldest first within each user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterList {
    /// The clusters.
    pub clusters: Vec<ClusterRow>,
}

impl Admin {
    /// The clusters that pass the filter. Ended ones are read from their user's records, active ones from the index.
    pub async fn clusters(&self, filter: &ClusterFilter) -> Result<ClusterList, ServiceError> {
        let ended = filter.statuses.iter().any(|status| status.is_ended());
        let mut clusters = match (&filter.user_key, ended) {
            (Some(key), _) if filter.user.is_some() => self.of_user(key, filter).await?,
            (_, true) if filter.user.is_none() => {
                return Err(ServiceError::Invalid(
                    "ended clusters are listed for one user at a time: name a `user`".into(),
                ));
            }
            (_, true) => {
                let why =
                    "ended clusters are found with the gateway's key ring only, which is not at hand here: ask its API";
                return Err(ServiceError::Invalid(why.into()));
            }
            (_, false) => self.active(|cluster| filter.takes(cluster)).await?.iter().map(ClusterRow::from).collect(),
        };
        clusters.sort_by(|a, b| (&a.user, &a.name).cmp(&(&b.user, &b.name)));
        Ok(ClusterList { clusters })
    }

    async fn of_user(&self, key: &UserKey, filter: &ClusterFilter) -> Result<Vec<ClusterRow>, ServiceError> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.store.clusters(key, cursor.as_deref(), PAGE).await?;
            let clusters = page.items.iter().map(|stored| &*stored.value);
            found.extend(clusters.filter(|cluster| filter.takes(cluster)).map(ClusterRow::from));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// What the index of the active has, as far as it is wanted.
    pub(super) async fn active(&self, wanted: impl Fn(&Cluster) -> bool) -> Result<Vec<Cluster>, ServiceError> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.store.active(cursor.as_deref(), PAGE).await?;
            found.extend(page.items.into_iter().map(|row| row.cluster).filter(&wanted));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}
