use crate::App;
use crate::body;
use crate::content::MOST_WORKERS;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::{required, shorten};
use crate::path::Named;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_gateway::Scaled;
use serde_json::{Value, json};
use std::sync::Arc;

pub async fn scale(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    body: Body,
) -> Result<Response, ApiError> {
    let request = body::read_object(body).await?;
    let count = workers("count", required(&request, "count")?)?;
    let who = session.confirmed(&app).await?;
    Ok(answer(app.gateway.clusters.scale(&who, &name, count).await?))
}

/// A number of workers; beyond what a cluster can want it counts as the most it can.
pub fn workers(field: &str, value: &Value) -> Result<u32, ApiError> {
    let number = value.as_u64().ok_or_else(|| {
        let shown = shorten(&value.to_string());
        ApiError::invalid(format!("`{field}` must be an integer from 0 to {MOST_WORKERS}, not `{shown}`"))
    })?;
    Ok(number.min(u64::from(MOST_WORKERS)) as u32)
}

/// `{"ok", "msg"}`.
pub fn answer(scaled: Scaled) -> Response {
    json(StatusCode::OK, &json!({"ok": scaled.warning.is_none(), "msg": scaled.warning}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integers_of_at_least_zero_are_numbers_of_workers() {
        for (text, count) in [("0", 0), ("7", 7), ("1000000", 1_000_000), ("18446744073709551615", 1_000_000)] {
            assert_eq!(workers("count", &serde_json::from_str(text).unwrap()).unwrap(), count);
        }
        for text in ["true", "1e23", "-1", "2.5", "2.0", "null", "\"2\"", "[2]", "{}", "99999999999999999999"] {
            let refused = workers("count", &serde_json::from_str(text).unwrap()).unwrap_err();
            assert_eq!(refused.status, 422, "{text}");
            assert!(refused.message.starts_with("`count` must be an integer from 0 to 1000000, not `"), "{text}");
        }
    }
}
