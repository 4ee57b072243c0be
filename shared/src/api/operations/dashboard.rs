use crate::api::App;
use crate::api::auth::{User, dashboard_cookie};
use crate::api::failure::Failure;
use crate::api::path::Named;
use crate::api::report::has_dashboard;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /clusters/{name}/…`, where dashboards ask for sign-in: reached only without the proxy's cookie. It hands its owner that cookie,
/// and sends them to the same place again.
pub async fn dashboard(
    State(app): State<Arc<App>>,
    User(who): User,
    Named(name): Named,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let cluster = app.gateway.get(&who, &name).await?;
    if !has_dashboard(&cluster) {
        return Err(Failure::new(StatusCode::NOT_FOUND, format!("cluster `{name}` has no dashboard at present")));
    }
    let key = app.gateway.dashboard_key(&cluster)?;
    let place = uri.path_and_query().map_or("/", |place| place.as_str());
    let mut answer = StatusCode::FOUND.into_response();
    if let (Ok(place), Some(cookie)) = (HeaderValue::from_str(place), dashboard_cookie(&app, &headers, &name, &key)) {
        answer.headers_mut().insert(header::LOCATION, place);
        answer.headers_mut().append(header::SET_COOKIE, cookie);
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(answer)
}
