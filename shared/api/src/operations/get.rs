use crate::App;
use crate::door::{Session, within_scopes};
use crate::error::{ApiError, json};
use crate::path::Named;
use crate::report::Report;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use faregate_core::model::TokenScope;
use std::sync::Arc;

/// The client waits in order to connect: whoever may not is told so, with a status whose sentence it shows.
pub async fn get(
    State(app): State<Arc<App>>,
    session: Session,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let who = session.who();
    let cluster = if wants_to_wait(query.as_deref().unwrap_or_default()) {
        if let Err(sentence) = within_scopes(who, TokenScope::Connect) {
            app.gateway.clusters.get(who, &name).await?;
            return Err(ApiError::new(StatusCode::CONFLICT, sentence));
        }
        app.gateway.clusters.wait(who, &name).await?
    } else {
        app.gateway.clusters.get(who, &name).await?
    };
    // the key opens the cluster for as long as it runs
    let who = session.confirmed(&app).await?;
    Ok(json(StatusCode::OK, &Report::full(&app, &who, &cluster)?))
}

/// As the official server: `?wait`, `?wait=` and any number but zero.
fn wants_to_wait(query: &str) -> bool {
    let value = query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((key, value)) => (key == "wait").then_some(value),
        None => (pair == "wait").then_some(""),
    });
    value.is_some_and(|value| value.is_empty() || value.parse::<i64>().is_ok_and(|number| number != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_comes_without_a_value_too() {
        for query in ["wait", "wait=", "wait=1", "a=b&wait", "wait&wait=0"] {
            assert!(wants_to_wait(query), "{query}");
        }
        for query in ["", "wait=0", "wait=no", "waiting", "a=wait"] {
            assert!(!wants_to_wait(query), "{query}");
        }
    }
}
