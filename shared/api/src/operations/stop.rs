use crate::App;
use crate::door::AnyCaller;
use crate::error::ApiError;
use crate::path::Named;
use axum::extract::State;
use axum::http::StatusCode;
use faregate_gateway::ServiceError;
use std::sync::Arc;

pub async fn stop(
    State(app): State<Arc<App>>,
    caller: AnyCaller,
    name: Result<Named, ApiError>,
) -> Result<StatusCode, ApiError> {
    let caller = caller.confirmed(&app).await?;
    if let Ok(Named(name)) = name {
        match app.gateway.clusters.stop(&caller, &name).await {
            Ok(()) | Err(ServiceError::NotFound(_)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
