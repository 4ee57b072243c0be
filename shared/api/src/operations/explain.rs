use crate::App;
use crate::door::User;
use crate::failure::{Failure, json};
use crate::path::Named;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// `GET /api/v1/clusters/{name}/explain`: why it is as it is, also after its end.
pub async fn explain(State(app): State<Arc<App>>, User(who): User, Named(name): Named) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &app.gateway.clusters.explain(&who, &name).await?))
}
