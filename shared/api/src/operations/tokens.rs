use super::admin::params::{Parameters, Rest, object, only, text};
use crate::App;
use crate::body::kind;
use crate::door::{Session, User};
use crate::failure::{Failure, json};
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

/// `GET /api/v1/tokens`: the caller's machine tokens, without their texts.
pub async fn list_tokens(State(app): State<Arc<App>>, User(who): User) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &json!({"tokens": app.access.tokens(Some(&who.name)).await?})))
}

/// `POST /api/v1/tokens` `{"name", "scopes": […], "expires_in": seconds}`: 201 with a new token's text, this once. It counts in the
/// caller's groups as they are now.
pub async fn make_token(State(app): State<Arc<App>>, session: Session, body: Body) -> Result<Response, Failure> {
    let fields = object(body).await?;
    only(&fields, &["name", "scopes", "expires_in"])?;
    let who = session.confirmed(&app).await?;
    let new = new_token(&fields, who.name.clone(), who.groups.clone())?;
    Ok(json(StatusCode::CREATED, &app.access.make_token(By::Owner(&who), new).await?))
}

/// `DELETE /api/v1/tokens/{id}[?stop=true]`: one of the caller's own is no longer good; what it started is stopped when that is asked for.
pub async fn revoke_token(
    State(app): State<Arc<App>>,
    session: Session,
    Rest(id): Rest,
    uri: Uri,
) -> Result<Response, Failure> {
    let query = Parameters::read(&uri, &["stop"])?;
    let who = session.confirmed(&app).await?;
    let act = Act::new(&who.name, None)?;
    revoked(&app, By::Owner(&who), &act, &id, query.flag("stop")?).await
}

/// Revokes a token, and stops what it started when that is asked for: in this order, so that nothing new begins meanwhile.
pub async fn revoked(app: &App, by: By<'_>, act: &Act, id: &str, stop: bool) -> Result<Response, Failure> {
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
pub fn new_token(fields: &Map<String, Value>, user: String, groups: Vec<String>) -> Result<NewToken, Failure> {
    let missing = || Failure::invalid("`name` is missing: what the token is called");
    let name = text(fields, "name")?.ok_or_else(missing)?;
    let scopes = words(fields, "scopes")?.iter().map(|name| scope(name)).collect::<Result<BTreeSet<_>, _>>()?;
    Ok(NewToken { user, name, groups, scopes, life_ms: life(fields)? })
}

/// A list of texts in the body; empty when it is absent or null.
pub fn words(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, Failure> {
    let wrong = |value: &Value| Failure::invalid(format!("`{name}` must be a list of strings, not {}", kind(value)));
    match fields.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| wrong(item))).collect()
        }
        Some(other) => Err(wrong(other)),
    }
}

fn scope(name: &str) -> Result<TokenScope, Failure> {
    TokenScope::parse(name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let all = TokenScope::ALL.map(TokenScope::as_str).join("`, `");
        Failure::invalid(format!("`scopes` cannot have `{}`: there is `{all}`", shown.escape_debug()))
    })
}

fn life(fields: &Map<String, Value>) -> Result<Option<Ms>, Failure> {
    match fields.get("expires_in") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(seconds)) => Ok(seconds.as_f64().map(|seconds| (seconds * 1_000.0).round() as Ms)),
        Some(other) => Err(Failure::invalid(format!("`expires_in` must be a number of seconds, not {}", kind(other)))),
    }
}
