use crate::App;
use crate::door::User;
use crate::error::{ApiError, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

pub async fn limits(State(app): State<Arc<App>>, User(who): User) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &app.gateway.clusters.my_limits(&who).await?))
}
