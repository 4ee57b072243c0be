use super::params::Parameters;
use crate::App;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_gateway::admin::ClusterFilter;
use std::sync::Arc;

/// `GET /api/v1/admin/clusters[?user=&group=&status=a,b]`: everyone's clusters; by default those that have not ended. Ended ones of one
/// user at a time.
pub async fn clusters(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Failure> {
    let query = Parameters::read(&uri, &["user", "group", "status"])?;
    let user = query.last("user").map(str::to_owned);
    let user_key = user.as_ref().map(|user| app.gateway.ring().user_key(user));
    let group = query.last("group").map(str::to_owned);
    let filter = ClusterFilter { user, user_key, group, statuses: query.statuses()? };
    Ok(json(StatusCode::OK, &app.gateway.admin().clusters(&filter).await?))
}
