use crate::App;
use crate::body::kind;
use crate::door::{Session, User};
use crate::error::{ApiError, json};
use crate::params::{Parameters, Rest, object, only, shorten, text};
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_auth::access::{By, NewToken, TokenRow};
use faregate_core::model::{ClusterName, Ms, TokenScope};
use faregate_gateway::admin::{Act, Stopped};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub async fn list_tokens(State(app): State<Arc<App>>, User(who): User) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &json!({"tokens": app.access.tokens(Some(&who.name)).await?})))
}

pub async fn make_token(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, ApiError> {
    let fields = object(body).await?;
    only(&fields, &["name", "scopes", "expires_in"])?;
    let who = session.confirmed(&app).await?;
    let new = new_token(&fields, who.name.clone(), who.groups.clone())?;
    Ok(json(StatusCode::CREATED, &app.access.make_token(By::Owner(&who), new).await?))
}

pub async fn revoke_token(
    State(app): State<Arc<App>>,
    session: Session,
    Rest(id): Rest,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Parameters::read(&uri, &["stop"])?;
    let who = session.confirmed(&app).await?;
    let act = Act::new(&who.name, None)?;
    revoked(&app, By::Owner(&who), &act, &id, query.flag("stop")?).await
}

/// Revokes a token, and stops what it started when that is asked for: in this order, so that nothing new begins meanwhile.
pub async fn revoked(app: &App, by: By<'_>, act: &Act, id: &str, stop: bool) -> Result<Response, ApiError> {
    let row = app.access.revoke(by, id).await?;
    if !stop {
        return Ok(json(StatusCode::OK, &row));
    }
    let key = app.gateway.ring().user_key(&row.user);
    let Stopped { stopped } = app.gateway.admin().stop_revoked(act, &row.id, &row.user, Some(&key)).await?;
    Ok(json(StatusCode::OK, &RevokedAndStopped { row, stopped }))
}

#[derive(Serialize)]
struct RevokedAndStopped {
    #[serde(flatten)]
    row: TokenRow,
    /// Clusters that were not on the way to their end already.
    stopped: Vec<ClusterName>,
}

/// What a body says of a new token.
pub fn new_token(fields: &Map<String, Value>, user: String, groups: Vec<String>) -> Result<NewToken, ApiError> {
    let missing = || ApiError::invalid("`name` is missing: what the token is called");
    let name = text(fields, "name")?.ok_or_else(missing)?;
    let scopes = words(fields, "scopes")?.iter().map(|name| scope(name)).collect::<Result<BTreeSet<_>, _>>()?;
    Ok(NewToken { user, name, groups, scopes, life_ms: life(fields)? })
}

/// A list of texts in the body; empty when it is absent or null.
pub fn words(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let wrong = |value: &Value| ApiError::invalid(format!("`{name}` must be a list of strings, not {}", kind(value)));
    match fields.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| wrong(item))).collect()
        }
        Some(other) => Err(wrong(other)),
    }
}

fn scope(name: &str) -> Result<TokenScope, ApiError> {
    TokenScope::parse(name).ok_or_else(|| {
        let all = TokenScope::ALL.map(TokenScope::as_str).join("`, `");
        ApiError::invalid(format!("`scopes` cannot have `{}`: there is `{all}`", shorten(name).escape_debug()))
    })
}

fn life(fields: &Map<String, Value>) -> Result<Option<Ms>, ApiError> {
    match fields.get("expires_in") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(seconds)) => Ok(seconds.as_f64().map(|seconds| (seconds * 1_000.0).round() as Ms)),
        Some(other) => Err(ApiError::invalid(format!("`expires_in` must be a number of seconds, not {}", kind(other)))),
    }
}
