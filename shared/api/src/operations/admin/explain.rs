use super::params::{Parameters, Scoped};
use crate::App;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_core::model::Scope;
use std::sync::Arc;

/// `GET /api/v1/admin/explain/{scope}[?group=a&group=b]`: what applies to a user, and who says so; what a group's or the default item says.
pub async fn explain(State(app): State<Arc<App>>, Scoped(scope): Scoped, uri: Uri) -> Result<Response, Failure> {
    let groups = Parameters::read(&uri, &["group"])?.all("group");
    let user_key = match &scope {
        Scope::User(user) => Some(app.gateway.ring().user_key(user)),
        Scope::Group(_) | Scope::Default => None,
    };
    Ok(json(StatusCode::OK, &app.gateway.admin().explain(&scope, &groups, user_key).await?))
}
