use crate::App;
use crate::door::User;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// `GET /api/v1/limits`: what the caller may have, whose rule each limit is, what is in use and what is left.
pub async fn limits(State(app): State<Arc<App>>, User(who): User) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &app.gateway.clusters.my_limits(&who).await?))
}
