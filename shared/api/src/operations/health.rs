use crate::App;
use crate::failure::json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// `GET /api/health`: 200 `pass`, or 503 `fail` when something the gateway depends on is down.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    match app.gateway.clusters.health().await {
        Ok(()) => json(StatusCode::OK, &json!({"status": "pass"})),
        Err(cause) => {
            tracing::debug!(cause, "not healthy");
            json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "fail"}))
        }
    }
}
