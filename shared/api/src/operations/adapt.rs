use super::scale::{answer, workers};
use crate::App;
use crate::body;
use crate::door::Session;
use crate::error::ApiError;
use crate::params::no_slips;
use crate::path::Named;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};
use std::sync::Arc;

pub async fn adapt(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    body: Body,
) -> Result<Response, ApiError> {
    let (minimum, maximum, active) = bounds(&body::read_object(body).await?)?;
    let who = session.confirmed(&app).await?;
    Ok(answer(app.gateway.clusters.adapt(&who, &name, minimum, maximum, active).await?))
}

/// Checked `minimum`, `maximum` (null or absent = unbounded) and `active` (absent = true).
fn bounds(request: &Map<String, Value>) -> Result<(Option<u32>, Option<u32>, bool), ApiError> {
    no_slips(request, &["minimum", "maximum", "active"])?;
    let number = |field| match request.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => workers(field, value).map(Some),
    };
    let (minimum, maximum) = (number("minimum")?, number("maximum")?);
    if let (Some(least), Some(most)) = (minimum, maximum)
        && least > most
    {
        return Err(ApiError::invalid(format!("`minimum` ({least}) must not exceed `maximum` ({most})")));
    }
    match request.get("active") {
        None => Ok((minimum, maximum, true)),
        Some(Value::Bool(active)) => Ok((minimum, maximum, *active)),
        Some(other) => Err(ApiError::invalid(format!("`active` must be true or false, not {}", body::kind(other)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(request: Value) -> Result<(Option<u32>, Option<u32>, bool), String> {
        let Value::Object(request) = request else { panic!("no object") };
        bounds(&request).map_err(|error| error.message)
    }

    #[test]
    fn null_and_absent_are_unbounded() {
        assert_eq!(of(json!({})), Ok((None, None, true)));
        assert_eq!(of(json!({"minimum": null, "maximum": 3, "active": false})), Ok((None, Some(3), false)));
        assert_eq!(of(json!({"minimum": 3, "maximum": 3})), Ok((Some(3), Some(3), true)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (request, field) in [
            (json!({"minimum": 3, "maximum": 2}), "minimum"),
            (json!({"minimum": -1}), "minimum"),
            (json!({"maximum": "2"}), "maximum"),
            (json!({"maximum": [2]}), "maximum"),
            (json!({"maximum": 2.5}), "maximum"),
            (json!({"maximum": true}), "maximum"),
            (json!({"active": 1}), "active"),
            (json!({"active": null}), "active"),
        ] {
            let error = of(request.clone()).unwrap_err();
            assert!(error.starts_with(&format!("`{field}` ")), "{request}: {error}");
        }
    }
}
