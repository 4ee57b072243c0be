//! A cluster on the wire: exactly the keys the client knows, as it dies of any other.

use super::{App, Dashboards};
use crate::gateway::Refusal;
use crate::model::{Cluster, Ms, Status};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// One cluster.
#[derive(Serialize)]
pub struct Report<'a> {
    name: &'a str,
    /// Path below the public address; while it is RUNNING and has a dashboard that can be looked at.
    dashboard_route: Option<String>,
    status: &'static str,
    start_time: Ms,
    stop_time: Option<Ms>,
    options: &'a Map<String, Value>,
    /// Left out of lists, as the key is.
    #[serde(flatten)]
    tls: Option<Tls<'a>>,
}

/// Certificate and key; null unless it is RUNNING.
#[derive(Serialize)]
struct Tls<'a> {
    tls_cert: Option<&'a str>,
    tls_key: Option<String>,
}

impl<'a> Report<'a> {
    /// All there is to say, the private key included.
    pub fn full(app: &App, cluster: &'a Cluster) -> Result<Self, Refusal> {
        let running = cluster.status == Status::Running;
        let tls = Tls {
            tls_cert: running.then_some(&cluster.tls_cert),
            tls_key: running.then(|| app.gateway.open_key(cluster)).transpose()?,
        };
        Ok(Report { tls: Some(tls), ..Report::short(app, cluster)? })
    }

    /// As in a list: without certificate and key.
    pub fn short(app: &App, cluster: &'a Cluster) -> Result<Self, Refusal> {
        Ok(Report {
            name: cluster.name.as_str(),
            dashboard_route: if has_dashboard(cluster) { dashboard_route(app, cluster)? } else { None },
            status: cluster.status.as_str(),
            start_time: cluster.created_at,
            stop_time: cluster.stopped_at,
            options: &cluster.options,
            tls: None,
        })
    }
}

/// Is there a dashboard to look at?
pub fn has_dashboard(cluster: &Cluster) -> bool {
    cluster.status == Status::Running && cluster.addresses.is_some_and(|a| a.dashboard.is_some())
}

/// Where it is, below the public address.
pub fn dashboard_route(app: &App, cluster: &Cluster) -> Result<Option<String>, Refusal> {
    let name = &cluster.name;
    match app.dashboards {
        Dashboards::Here { sign_in: true } | Dashboards::Elsewhere { sign_in: true, .. } => {
            Ok(Some(format!("/clusters/{name}/status")))
        }
        Dashboards::Here { sign_in: false } | Dashboards::Elsewhere { sign_in: false, .. } => {
            Ok(Some(format!("/clusters/{name}/{}/status", app.gateway.dashboard_key(cluster)?)))
        }
        Dashboards::Nowhere => Ok(None),
    }
}

/// Many, as an object `name -> cluster` in their order.
pub struct Reports<'a>(pub Vec<Report<'a>>);

impl Serialize for Reports<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|report| (report.name, report)))
    }
}
