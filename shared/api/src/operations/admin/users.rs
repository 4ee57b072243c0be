use crate::App;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// `GET /api/v1/admin/accounts`: users with a password of their own, and when each was last set.
pub async fn accounts(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &json!({"accounts": app.access.users().await?})))
}
