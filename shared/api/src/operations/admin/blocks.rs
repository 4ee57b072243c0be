use super::act;
use super::stop::why_or_of;
use crate::App;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::Parameters;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

pub async fn blocks(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &json!({"blocks": app.access.blocks().await?})))
}

pub async fn lift_block(
    State(app): State<Arc<App>>,
    session: Session,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    let query = Parameters::read(&uri, &["user", "peer", "why"])?;
    let act = act(&app, &session, why_or_of(&query, body).await?.as_deref()).await?;
    let (user, peer) = (query.last("user"), query.last("peer"));
    let lifted = app.access.lift(&act, user, peer).await?;
    app.auth.guesses.forgive(user, peer, app.gateway.now());
    Ok(json(StatusCode::OK, &json!({"lifted": lifted})))
}
