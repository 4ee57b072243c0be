use super::act;
use crate::App;
use crate::body::kind;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::{Scoped, object, only, text};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_gateway::admin::LimitsChange;
use serde_json::{Map, Value};
use std::sync::Arc;

pub async fn list(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &app.gateway.admin().limits().await?))
}

pub async fn change(
    State(app): State<Arc<App>>,
    session: Session,
    Scoped(scope): Scoped,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = object(body).await?;
    only(&fields, &["set", "unset", "why"])?;
    let act = act(&app, &session, text(&fields, "why")?.as_deref()).await?;
    let change = LimitsChange { set: set(&fields)?, unset: unset(&fields)? };
    Ok(json(StatusCode::OK, &app.gateway.admin().change_limits(&act, &scope, &change).await?))
}

fn set(fields: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    match fields.get("set") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(set)) => Ok(set.clone()),
        Some(other) => Err(ApiError::invalid(format!("`set` must be an object of fields, not {}", kind(other)))),
    }
}

fn unset(fields: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let wrong =
        |value: &Value| ApiError::invalid(format!("`unset` must be a list of fields' names, not {}", kind(value)));
    match fields.get("unset") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(names)) => {
            names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(|| wrong(name))).collect()
        }
        Some(other) => Err(wrong(other)),
    }
}
