use crate::App;
use crate::door::User;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// `GET /api/v1/options`: the options the caller may choose, and their bounds.
pub async fn options(State(app): State<Arc<App>>, User(who): User) -> Result<Response, Failure> {
    let options = app.gateway.clusters.options_of(&who).await?;
    Ok(json(StatusCode::OK, &json!({"cluster_options": options.describe()})))
}
