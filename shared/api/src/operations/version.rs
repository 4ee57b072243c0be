use crate::App;
use crate::error::json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

pub async fn version(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &json!({"version": app.version}))
}
