use super::act;
use crate::App;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::{object, only, text};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_core::model::Scope;
use faregate_gateway::admin::{Act, parse_scope};
use std::sync::Arc;

pub async fn freeze(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, ApiError> {
    let (act, scope) = read(&app, &session, body).await?;
    Ok(json(StatusCode::OK, &app.gateway.admin().freeze(&act, &scope).await?))
}

pub async fn unfreeze(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, ApiError> {
    let (act, scope) = read(&app, &session, body).await?;
    Ok(json(StatusCode::OK, &app.gateway.admin().unfreeze(&act, &scope).await?))
}

async fn read(app: &App, session: &Session, body: Body) -> Result<(Act, Scope), ApiError> {
    let fields = object(body).await?;
    only(&fields, &["scope", "why"])?;
    let act = act(app, session, text(&fields, "why")?.as_deref()).await?;
    let missing = || ApiError::invalid("`scope` is missing: `default`, `group:<name>` or `user:<name>`");
    let scope = parse_scope(&text(&fields, "scope")?.ok_or_else(missing)?)?;
    Ok((act, scope))
}
