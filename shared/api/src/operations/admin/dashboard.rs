use super::act;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::operations::dashboard::{is_shown, ticket_path};
use crate::params::{object, only, text};
use crate::path::Named;
use crate::report::dashboard_route;
use crate::{App, Dashboards};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

pub async fn dashboard(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = object(body).await?;
    only(&fields, &["why"])?;
    let act = act(&app, &session, text(&fields, "why")?.as_deref()).await?;
    let admin = app.gateway.admin();
    let cluster = admin.cluster(&name).await?;
    is_shown(&cluster)?;
    let base = match &app.dashboards {
        Dashboards::Here { .. } => own_address(&app, &headers),
        Dashboards::Elsewhere { url, .. } => url.clone(),
        Dashboards::Nowhere => return Err(ApiError::new(StatusCode::NOT_FOUND, "dashboards are served nowhere")),
    };
    admin.looks_at(&act, &cluster).await?;
    let path = match dashboard_route(&app, &cluster)?.filter(|_| app.dashboards.are_keyed()) {
        Some(route) => route,
        None => ticket_path(&app, &cluster, "/status")?,
    };
    let mut answer = json(StatusCode::OK, &json!({ "url": format!("{base}{path}") }));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The address that the caller has used, prefix included.
fn own_address(app: &App, headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = text("x-forwarded-proto").split(',').next().unwrap_or_default().trim();
    let scheme = if first.eq_ignore_ascii_case("https") { "https" } else { "http" };
    format!("{scheme}://{}{}", text("host"), app.prefix)
}
