use super::act;
use super::params::{object, only, text};
use crate::App;
use crate::door::Session;
use crate::failure::{Failure, json};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_core::model::Scope;
use faregate_gateway::admin::{Act, parse_scope};
use std::sync::Arc;

/// `POST /api/v1/admin/freeze` `{"scope", "why"}`: nothing of the scope starts any more, what runs is stopped, and its users see why.
pub async fn freeze(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, Failure> {
    let (act, scope) = read(&app, &session, body).await?;
    Ok(json(StatusCode::OK, &app.gateway.admin().freeze(&act, &scope).await?))
}

/// `POST /api/v1/admin/unfreeze` `{"scope", "why"}`: takes that back.
pub async fn unfreeze(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, Failure> {
    let (act, scope) = read(&app, &session, body).await?;
    Ok(json(StatusCode::OK, &app.gateway.admin().unfreeze(&act, &scope).await?))
}

async fn read(app: &App, session: &Session, body: Body) -> Result<(Act, Scope), Failure> {
    let fields = object(body).await?;
    only(&fields, &["scope", "why"])?;
    let act = act(app, session, text(&fields, "why")?.as_deref()).await?;
    let missing = || Failure::invalid("`scope` is missing: `default`, `group:<name>` or `user:<name>`");
    let scope = parse_scope(&text(&fields, "scope")?.ok_or_else(missing)?)?;
    Ok((act, scope))
}
