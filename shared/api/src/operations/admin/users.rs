use crate::App;
use crate::error::{ApiError, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

pub async fn accounts(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &json!({"accounts": app.access.users().await?})))
}
