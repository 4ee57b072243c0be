use super::act;
use super::stop::why_or_of;
use crate::App;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::operations::tokens::{new_token, revoked, words};
use crate::params::{Parameters, Rest, object, only, text};
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_auth::access::By;
use serde_json::json;
use std::sync::Arc;

pub async fn list_tokens(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Parameters::read(&uri, &["user"])?;
    Ok(json(StatusCode::OK, &json!({"tokens": app.access.tokens(query.last("user")).await?})))
}

pub async fn make_token(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, ApiError> {
    let fields = object(body).await?;
    only(&fields, &["user", "groups", "name", "scopes", "expires_in", "why"])?;
    let act = act(&app, &session, text(&fields, "why")?.as_deref()).await?;
    let missing = || ApiError::invalid("`user` is missing: whose clusters the token starts, sees and stops");
    let user = text(&fields, "user")?.ok_or_else(missing)?;
    let new = new_token(&fields, user, words(&fields, "groups")?)?;
    Ok(json(StatusCode::CREATED, &app.access.make_token(By::Admin(&act), new).await?))
}

pub async fn revoke_token(
    State(app): State<Arc<App>>,
    session: Session,
    Rest(id): Rest,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    let query = Parameters::read(&uri, &["why", "stop"])?;
    let act = act(&app, &session, why_or_of(&query, body).await?.as_deref()).await?;
    revoked(&app, By::Admin(&act), &act, &id, query.flag("stop")?).await
}
