use crate::error::ApiError;
use crate::path::Named;
use crate::{App, Dashboards};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The same path and query there, escapes as they came. Nobody is asked who they are: the link carries its key, and the proxy checks it.
pub async fn redirect(State(app): State<Arc<App>>, Named(_): Named, uri: Uri) -> Result<Response, ApiError> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let path = target.strip_prefix(&app.prefix).unwrap_or(target);
    let Dashboards::Elsewhere { url, .. } = &app.dashboards else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "dashboards are not elsewhere"));
    };
    let Ok(place) = HeaderValue::from_str(&format!("{url}{path}")) else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "there is no dashboard at this path"));
    };
    Ok(leads_to(StatusCode::TEMPORARY_REDIRECT, place))
}

/// A redirect that nobody keeps, or learns of at the next page.
pub fn leads_to(status: StatusCode, place: HeaderValue) -> Response {
    let headers = [
        (header::LOCATION, place),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers).into_response()
}
