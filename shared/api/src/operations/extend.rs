use crate::App;
use crate::body;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::{required, shorten};
use crate::path::Named;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_core::model::Ms;
use serde_json::{Value, json};
use std::sync::Arc;

/// The longest that can be asked for, in seconds, as for a configured `lifetime`.
const LONGEST: f64 = 1e9;

pub async fn extend(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    body: Body,
) -> Result<Response, ApiError> {
    let request = body::read_object(body).await?;
    let ms = milliseconds(required(&request, "seconds")?)?;
    let who = session.confirmed(&app).await?;
    let ends_at = app.gateway.clusters.extend(&who, &name, ms).await?;
    Ok(json(StatusCode::OK, &json!({"ends_at": ends_at})))
}

/// A number of seconds above 0.
fn milliseconds(value: &Value) -> Result<Ms, ApiError> {
    match value.as_f64().filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST) {
        Some(seconds) => Ok((seconds * 1000.0).ceil() as Ms),
        None => {
            let shown = shorten(&value.to_string());
            Err(ApiError::invalid(format!("`seconds` must be a number above 0 and at most {LONGEST}, not `{shown}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_to_come_can_be_asked_for() {
        for (text, ms) in [("1", 1000), ("0.5", 500), ("1e9", 1_000_000_000_000), ("0.0001", 1)] {
            assert_eq!(milliseconds(&serde_json::from_str(text).unwrap()).unwrap(), ms);
        }
        for text in ["0", "-1", "1e10", "true", "null", "\"60\"", "[60]", "{}"] {
            let refused = milliseconds(&serde_json::from_str(text).unwrap()).unwrap_err();
            assert_eq!(refused.status, 422, "{text}");
            let says = format!("`seconds` must be a number above 0 and at most 1000000000, not `{text}`");
            assert_eq!(refused.message.replace("10000000000.0", "1e10"), says);
        }
    }
}
