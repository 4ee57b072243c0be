use super::params::Parameters;
use crate::App;
use crate::failure::{Failure, json};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /api/v1/admin/usage[?month=2026-11&format=csv]`: what everybody used in a month, by user and cluster.
pub async fn usage(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Failure> {
    let query = Parameters::read(&uri, &["month", "format"])?;
    let month = query.month(app.gateway.now())?;
    let csv = match query.last("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Failure::invalid("`format` is `json` or `csv`")),
    };
    let usage = app.gateway.admin().usage(month).await?;
    if !csv {
        return Ok(json(StatusCode::OK, &usage));
    }
    let mut answer = usage.csv().into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    Ok(answer)
}
