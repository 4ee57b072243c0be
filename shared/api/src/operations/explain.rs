use crate::App;
use crate::door::User;
use crate::error::{ApiError, json};
use crate::path::Named;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

pub async fn explain(State(app): State<Arc<App>>, User(who): User, Named(name): Named) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &app.gateway.clusters.explain(&who, &name).await?))
}
