//! Looking at somebody's dashboard.

use super::super::ServiceError;
use super::super::read::not_found;
use super::{Act, Admin};
use faregate_core::model::{Cluster, ClusterName};
use serde_json::json;

impl Admin {
    /// A cluster, whosever it is.
    pub async fn cluster(&self, name: &ClusterName) -> Result<Cluster, ServiceError> {
        Ok(self.store.cluster(name).await?.ok_or_else(|| not_found(name))?.value)
    }

    /// Writes down that somebody is given a cluster's dashboard to look at.
    pub async fn looks_at(&self, act: &Act, cluster: &Cluster) -> Result<(), ServiceError> {
        self.record(act, "open-dashboard", cluster.name.to_string(), json!({"user": cluster.user})).await
    }
}
