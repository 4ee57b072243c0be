use super::act;
use super::params::{Scoped, object, only, text};
use crate::App;
use crate::body::kind;
use crate::door::Session;
use crate::failure::{Failure, json};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_gateway::admin::LimitsChange;
use serde_json::{Map, Value};
use std::sync::Arc;

/// `GET /api/v1/admin/limits`: all limits, and items that cannot be read.
pub async fn list(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &app.gateway.admin().limits().await?))
}

/// `PATCH /api/v1/admin/limits/{scope}` `{"set": {…}, "unset": […], "why": "…"}`: the scope's limits as they are from now on.
pub async fn change(
    State(app): State<Arc<App>>,
    session: Session,
    Scoped(scope): Scoped,
    body: Body,
) -> Result<Response, Failure> {
    let fields = object(body).await?;
    only(&fields, &["set", "unset", "why"])?;
    let act = act(&app, &session, text(&fields, "why")?.as_deref()).await?;
    let change = LimitsChange { set: set(&fields)?, unset: unset(&fields)? };
    Ok(json(StatusCode::OK, &app.gateway.admin().change_limits(&act, &scope, &change).await?))
}

fn set(fields: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    match fields.get("set") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(set)) => Ok(set.clone()),
        Some(other) => Err(Failure::invalid(format!("`set` must be an object of fields, not {}", kind(other)))),
    }
}

fn unset(fields: &Map<String, Value>) -> Result<Vec<String>, Failure> {
    let wrong =
        |value: &Value| Failure::invalid(format!("`unset` must be a list of fields' names, not {}", kind(value)));
    match fields.get("unset") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(names)) => {
            names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(|| wrong(name))).collect()
        }
        Some(other) => Err(wrong(other)),
    }
}
