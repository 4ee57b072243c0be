use crate::App;
use crate::door::AnyCaller;
use crate::failure::Failure;
use crate::path::Named;
use axum::extract::State;
use axum::http::StatusCode;
use faregate_gateway::Refusal;
use std::sync::Arc;

/// `DELETE /api/v1/clusters/{name}`, by its owner or by the cluster itself: 204, also when there is no such cluster.
pub async fn stop(
    State(app): State<Arc<App>>,
    caller: AnyCaller,
    name: Result<Named, Failure>,
) -> Result<StatusCode, Failure> {
    let caller = caller.confirmed(&app).await?;
    if let Ok(Named(name)) = name {
        match app.gateway.clusters.stop(&caller, &name).await {
            Ok(()) | Err(Refusal::NotFound(_)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
