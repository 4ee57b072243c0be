use crate::App;
use crate::door::User;
use crate::error::{ApiError, json};
use crate::params::{query, shorten};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_core::model::Month;
use std::sync::Arc;

pub async fn usage(State(app): State<Arc<App>>, User(who): User, uri: Uri) -> Result<Response, ApiError> {
    let month = month(&uri)?;
    Ok(json(StatusCode::OK, &app.gateway.usage.of(&who, month).await?))
}

/// The month of `?month=`; 422 for anything else there. None = this one.
fn month(uri: &Uri) -> Result<Option<Month>, ApiError> {
    let query = query(uri)?;
    let Some((_, text)) = query.iter().find(|(key, _)| key == "month") else { return Ok(None) };
    shorten(text)
        .parse()
        .map(Some)
        .map_err(|error: faregate_core::model::InvalidMonth| ApiError::invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &'static str) -> Result<Option<String>, String> {
        let month = month(&Uri::from_static(uri)).map_err(|error| error.message);
        month.map(|month| month.map(|month| month.to_string()))
    }

    #[test]
    fn a_month_is_year_and_month() {
        assert_eq!(of("/"), Ok(None));
        assert_eq!(of("/?x=1"), Ok(None));
        assert_eq!(of("/?x=1&month=2026-11"), Ok(Some("2026-11".into())));
        assert_eq!(of("/?month=2026%2D11"), Ok(Some("2026-11".into())));
        for uri in ["/?month", "/?month=", "/?month=2026-13", "/?month=november", "/?month=%ff"] {
            let error = of(uri).unwrap_err();
            assert!(error.ends_with(" is no month: write year and month, as in `2026-11`"), "{uri}: {error}");
        }
    }
}
