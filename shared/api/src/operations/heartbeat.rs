use crate::App;
use crate::body::{self, LARGE};
use crate::content;
use crate::door::ClusterCaller;
use crate::error::ApiError;
use crate::large;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;

pub async fn heartbeat(
    State(app): State<Arc<App>>,
    ClusterCaller(name): ClusterCaller,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let _one = large::one_at_a_time(&name, &body)?;
    let bytes = body::read(body, LARGE).await?;
    let (content, digest) = content::parse(&bytes).map_err(|invalid| ApiError::invalid(invalid.to_string()))?;
    app.gateway.heartbeats.apply(&name, content, digest).await?;
    Ok(StatusCode::OK)
}
