use crate::api::App;
use crate::api::auth::User;
use crate::api::failure::json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// `GET /api/v1/options`: the options a user may choose, and their bounds.
pub async fn options(State(app): State<Arc<App>>, _: User) -> Response {
    json(StatusCode::OK, &json!({"cluster_options": app.gateway.options().describe()}))
}
