use crate::App;
use crate::error::{ApiError, json};
use crate::params::{Parameters, Scoped};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_core::model::Scope;
use std::sync::Arc;

pub async fn explain(State(app): State<Arc<App>>, Scoped(scope): Scoped, uri: Uri) -> Result<Response, ApiError> {
    let groups = Parameters::read(&uri, &["group"])?.all("group");
    let user_key = match &scope {
        Scope::User(user) => Some(app.gateway.ring().user_key(user)),
        Scope::Group(_) | Scope::Default => None,
    };
    Ok(json(StatusCode::OK, &app.gateway.admin().explain(&scope, &groups, user_key).await?))
}
