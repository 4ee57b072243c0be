//! A cluster on the wire: exactly the keys the client knows, as it dies of any other.

use super::{App, Dashboards};
use faregate_auth::Confirmed;
use faregate_core::model::{Cluster, Ms, Status, TokenScope};
use faregate_gateway::ServiceError;
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

/// Certificate and key; null unless it is RUNNING, and the caller may connect to it.
#[derive(Serialize)]
struct Tls<'a> {
    tls_cert: Option<&'a str>,
    tls_key: Option<String>,
}

impl<'a> Report<'a> {
    /// All there is to say to this caller: the private key to those who may connect.
    pub fn full(app: &App, who: &Confirmed, cluster: &'a Cluster) -> Result<Self, ServiceError> {
        let opens = cluster.status == Status::Running && who.allows(TokenScope::Connect);
        let tls = Tls {
            tls_cert: opens.then_some(&cluster.tls_cert),
            tls_key: opens.then(|| app.gateway.context.open_key(cluster)).transpose()?,
        };
        Ok(Report { tls: Some(tls), ..Report::short(app, who.allows(TokenScope::Connect), cluster)? })
    }

    /// As in a list: without certificate and key, and with a link that has one for those who may connect.
    pub fn short(app: &App, may_connect: bool, cluster: &'a Cluster) -> Result<Self, ServiceError> {
        let shown = has_dashboard(cluster) && (may_connect || !app.dashboards.are_keyed());
        Ok(Report {
            name: cluster.name.as_str(),
            dashboard_route: if shown { dashboard_route(app, cluster)? } else { None },
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
pub fn dashboard_route(app: &App, cluster: &Cluster) -> Result<Option<String>, ServiceError> {
    let name = &cluster.name;
    match app.dashboards {
        Dashboards::Nowhere => Ok(None),
        Dashboards::Here { .. } | Dashboards::Elsewhere { .. } if app.dashboards.are_keyed() => {
            Ok(Some(format!("/clusters/{name}/{}/status", app.gateway.clusters.dashboard_key(cluster)?)))
        }
        Dashboards::Here { .. } | Dashboards::Elsewhere { .. } => Ok(Some(format!("/clusters/{name}/status"))),
    }
}

/// Many, as an object `name -> cluster` in their order.
pub struct Reports<'a>(pub Vec<Report<'a>>);

impl Serialize for Reports<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|report| (report.name, report)))
    }
}
