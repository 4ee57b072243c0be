use crate::App;
use crate::error::{ApiError, json};
use crate::params::Parameters;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub async fn usage(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Parameters::read(&uri, &["month", "format"])?;
    let month = query.month(app.gateway.now())?;
    let csv = match query.last("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(ApiError::invalid("`format` is `json` or `csv`")),
    };
    let usage = app.gateway.admin().usage(month).await?;
    if !csv {
        return Ok(json(StatusCode::OK, &usage));
    }
    let mut answer = usage.csv().into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    Ok(answer)
}
