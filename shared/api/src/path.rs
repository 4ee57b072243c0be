//! The cluster's name in the path.

use super::error::ApiError;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use faregate_core::model::ClusterName;

/// The `{name}` of the path; 404 for anything that is no name.
pub struct Named(pub ClusterName);

/// The `{name}` of the path, percent-decoded; none when it is no cluster name.
pub async fn cluster_name(parts: &mut Parts) -> Option<ClusterName> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find(|(key, _)| *key == "name").and_then(|(_, value)| value.parse().ok())
}

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let none = || ApiError::new(StatusCode::NOT_FOUND, "there is no such cluster: a name is 32 hexadecimal digits");
        cluster_name(parts).await.map(Named).ok_or_else(none)
    }
}
