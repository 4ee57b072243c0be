use super::params::Parameters;
use crate::App;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use std::sync::Arc;

/// `GET /api/v1/admin/audit[?month=2026-11]`: what admins did in a month, oldest first.
pub async fn audit(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Failure> {
    let month = Parameters::read(&uri, &["month"])?.month(app.gateway.now())?;
    Ok(json(StatusCode::OK, &app.gateway.admin().audits(month).await?))
}
