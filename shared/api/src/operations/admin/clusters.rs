use crate::App;
use crate::error::{ApiError, json};
use crate::params::Parameters;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_gateway::admin::ClusterFilter;
use std::sync::Arc;

pub async fn clusters(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Parameters::read(&uri, &["user", "group", "status"])?;
    let user = query.last("user").map(str::to_owned);
    let user_key = user.as_ref().map(|user| app.gateway.ring().user_key(user));
    let group = query.last("group").map(str::to_owned);
    let filter = ClusterFilter { user, user_key, group, statuses: query.statuses()? };
    Ok(json(StatusCode::OK, &app.gateway.admin().clusters(&filter).await?))
}
