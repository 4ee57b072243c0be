use super::act;
use crate::App;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::{Parameters, Rest, object, only, text};
use crate::path::Named;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use std::sync::Arc;

pub async fn stop(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    let act = act(&app, &session, why(&uri, body).await?.as_deref()).await?;
    Ok(json(StatusCode::OK, &app.gateway.admin().stop(&act, &name).await?))
}

pub async fn stop_all(
    State(app): State<Arc<App>>,
    session: Session,
    Rest(rest): Rest,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    let why = why(&uri, body).await?;
    let Some(user) = rest.strip_suffix("/clusters").filter(|user| !user.is_empty()) else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "there is nothing at this path: it ends with `/clusters`"));
    };
    let act = act(&app, &session, why.as_deref()).await?;
    Ok(json(StatusCode::OK, &app.gateway.admin().stop_all_of(&act, user).await?))
}

/// The `why` of the body, else that of the query.
pub(super) async fn why(uri: &Uri, body: Body) -> Result<Option<String>, ApiError> {
    let query = Parameters::read(uri, &["why"])?;
    why_or_of(&query, body).await
}

/// The same with a query that was read already.
pub(super) async fn why_or_of(query: &Parameters, body: Body) -> Result<Option<String>, ApiError> {
    let fields = object(body).await?;
    only(&fields, &["why"])?;
    Ok(text(&fields, "why")?.or_else(|| query.last("why").map(str::to_owned)))
}
