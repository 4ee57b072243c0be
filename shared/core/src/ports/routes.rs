//! What the proxy knows of a cluster.

use crate::model::ClusterName;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Where a cluster's connections go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The scheduler's comm address (TLS, not ended here).
    pub scheduler: SocketAddr,
    /// The dashboard's address (HTTP).
    pub dashboard: Option<SocketAddr>,
    /// Its owner may no longer come in: new connections are refused, those that are open go on. A route that says nothing of it is
    /// open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// The route was not written.
#[derive(Debug, thiserror::Error)]
#[error("the route of the proxy was not written: {0}")]
pub struct RoutesError(pub String);

/// The proxy's table. Both calls are idempotent. Where the proxy reads the records themselves they do nothing.
#[async_trait]
pub trait Routes: Send + Sync {
    /// From now on the proxy knows this route: called before a cluster reads RUNNING, and again with `closed` changed when its owner is
    /// shut out or let in again.
    async fn publish(&self, name: &ClusterName, route: &Route) -> Result<(), RoutesError>;
    /// From now on it does not.
    async fn remove(&self, name: &ClusterName) -> Result<(), RoutesError>;
}
