use crate::api::App;
use crate::api::failure::Failure;
use crate::api::path::Named;
use crate::gateway::{Caller, Refusal};
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;

/// `DELETE /api/v1/clusters/{name}`, by its owner or by the cluster itself: 204, also when there is no such cluster.
pub async fn stop(
    State(app): State<Arc<App>>,
    caller: Caller,
    name: Result<Named, Failure>,
) -> Result<StatusCode, Failure> {
    if let Ok(Named(name)) = name {
        match app.gateway.stop(&caller, &name).await {
            Ok(()) | Err(Refusal::NotFound(_)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
