use crate::App;
use crate::error::json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

pub async fn health(State(app): State<Arc<App>>) -> Response {
    match app.gateway.clusters.health().await {
        Ok(()) => json(StatusCode::OK, &json!({"status": "pass"})),
        Err(cause) => {
            tracing::debug!(cause, "not healthy");
            json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "fail"}))
        }
    }
}
