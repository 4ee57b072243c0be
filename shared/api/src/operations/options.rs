use crate::App;
use crate::door::User;
use crate::error::{ApiError, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

pub async fn options(State(app): State<Arc<App>>, User(who): User) -> Result<Response, ApiError> {
    let options = app.gateway.clusters.options_of(&who).await?;
    Ok(json(StatusCode::OK, &json!({"cluster_options": options.describe()})))
}
