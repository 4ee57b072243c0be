use crate::App;
use crate::error::{ApiError, json};
use crate::params::Parameters;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use std::sync::Arc;

pub async fn audit(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    let month = Parameters::read(&uri, &["month"])?.month(app.gateway.now())?;
    Ok(json(StatusCode::OK, &app.gateway.admin().audits(month).await?))
}
