use super::redirect::leads_to;
use crate::door::{Session, dashboard_cookie};
use crate::error::ApiError;
use crate::path::Named;
use crate::report::has_dashboard;
use crate::{App, Dashboards};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use faregate_core::model::Cluster;
use faregate_gateway::ServiceError;
use std::sync::Arc;

/// Reached only without the proxy's cookie. Here it hands its owner that cookie, and sends them to the same place again; elsewhere it
/// sends them to the proxy, with a ticket that becomes the cookie there.
pub async fn dashboard(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, ApiError> {
    // the cookie and the ticket outlast the session
    let who = session.confirmed(&app).await?;
    let cluster = app.gateway.clusters.get(&who, &name).await?;
    is_shown(&cluster)?;
    let place = uri.path_and_query().map_or("/", |place| place.as_str());
    let odd = |_| ApiError::new(StatusCode::NOT_FOUND, "there is no dashboard at this path");
    if let Dashboards::Elsewhere { url, .. } = &app.dashboards {
        let below = place.strip_prefix(&app.prefix).unwrap_or(place);
        let rest = below.strip_prefix("/clusters/").unwrap_or_default();
        let tail = rest.find('/').map_or("/", |at| &rest[at..]);
        let place = format!("{url}{}", ticket_path(&app, &cluster, tail)?);
        return Ok(leads_to(StatusCode::SEE_OTHER, HeaderValue::try_from(place).map_err(odd)?));
    }
    let pass = app.gateway.clusters.dashboard_session(&cluster)?;
    let mut answer = leads_to(StatusCode::FOUND, HeaderValue::from_str(place).map_err(odd)?);
    if let Some(cookie) = dashboard_cookie(&app, &headers, &name, &pass) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// 404 for a cluster without a dashboard to look at.
pub fn is_shown(cluster: &Cluster) -> Result<(), ApiError> {
    if has_dashboard(cluster) {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::NOT_FOUND, format!("cluster `{}` has no dashboard at present", cluster.name)))
}

/// The path at the proxy that a ticket opens once: it leads to `tail` of the dashboard.
pub fn ticket_path(app: &App, cluster: &Cluster, tail: &str) -> Result<String, ServiceError> {
    Ok(format!("/clusters/{}/{}{tail}", cluster.name, app.gateway.clusters.dashboard_ticket(cluster)?))
}
