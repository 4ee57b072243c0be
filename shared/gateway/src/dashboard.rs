//! Leave to look at a cluster's dashboard.

use super::{Clusters, ServiceError};
use faregate_core::model::{Cluster, Ms};
use faregate_keys::{DASHBOARD_SESSION_MS, TICKET_LIFE_MS, Ticket, Use};

impl Clusters {
    /// The key in a cluster's dashboard link.
    pub fn dashboard_key(&self, cluster: &Cluster) -> Result<String, ServiceError> {
        self.context.token(cluster, Use::Dashboard)
    }

    /// Leave to look at a cluster's dashboard once, very soon: for a link.
    pub fn dashboard_ticket(&self, cluster: &Cluster) -> Result<String, ServiceError> {
        self.ticket(cluster, Use::Ticket, TICKET_LIFE_MS)
    }

    /// Leave to look at a cluster's dashboard for hours: for a cookie.
    pub fn dashboard_session(&self, cluster: &Cluster) -> Result<String, ServiceError> {
        self.ticket(cluster, Use::DashboardSession, DASHBOARD_SESSION_MS)
    }

    fn ticket(&self, cluster: &Cluster, purpose: Use, life: Ms) -> Result<String, ServiceError> {
        // the cluster's own key: one that is new may not have reached every proxy
        let (key_id, nonce) = (cluster.key_id.clone(), self.context.host.random());
        let ticket = Ticket { key_id, expires_at: self.context.now() + life, nonce };
        ticket.issue(self.context.ring(), purpose, &cluster.name).map_err(|e| ServiceError::Internal(e.to_string()))
    }
}
