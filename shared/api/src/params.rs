//! What paths, queries and bodies of requests hold; who sends what means nothing is told so.

use crate::body;
use crate::error::ApiError;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use faregate_core::model::{Month, Scope, Status};
use faregate_core::{did_you_mean, nearest};
use faregate_gateway::admin::parse_scope;
use serde_json::{Map, Value};

/// The rest of the path, percent-decoded, without a slash at its end.
pub struct Rest(pub String);

impl<S: Sync> FromRequestParts<S> for Rest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let bad = |_| ApiError::new(StatusCode::NOT_FOUND, "the path's escapes are not UTF-8");
        let params = RawPathParams::from_request_parts(parts, &()).await.map_err(bad)?;
        let rest = params.iter().next().map(|(_, value)| value).unwrap_or_default();
        Ok(Rest(rest.strip_suffix('/').unwrap_or(rest).to_owned()))
    }
}

/// The scope at the path's end.
pub struct Scoped(pub Scope);

impl<S: Sync> FromRequestParts<S> for Scoped {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Rest(text) = Rest::from_request_parts(parts, state).await?;
        Ok(Scoped(parse_scope(&text)?))
    }
}

/// The query's names and values, in order.
pub fn query(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    let query = Query::try_from_uri(uri).map_err(|_| ApiError::invalid("the query after `?` does not parse"))?;
    Ok(query.0)
}

/// The query: each name's values in order; 422 for names that mean nothing here.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads it.
    pub fn read(uri: &Uri, known: &[&str]) -> Result<Self, ApiError> {
        let query = query(uri)?;
        match query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => {
                let (name, known) = (shorten(name), known.join("`, `"));
                Err(ApiError::invalid(format!("`{name}` means nothing in this query: there is `{known}`")))
            }
            None => Ok(Parameters(query)),
        }
    }

    /// The last value of a name.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Is it asked for? `?name`, `?name=true` and `?name=1` say so.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.last(name) {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(_) => Err(ApiError::invalid(format!("`{name}` is `true` or `false`"))),
        }
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()).collect()
    }

    /// `month`, or the one that it is `now`.
    pub fn month(&self, now: i64) -> Result<Month, ApiError> {
        match self.last("month") {
            Some(text) => shorten(text).parse().map_err(|error| ApiError::invalid(format!("{error}"))),
            None => Ok(Month::of(now)),
        }
    }

    /// The statuses of every `status`, separated by commas.
    pub fn statuses(&self) -> Result<Vec<Status>, ApiError> {
        let names = self.0.iter().filter(|(name, _)| name == "status").flat_map(|(_, names)| names.split(','));
        names.map(crate::operations::status).collect()
    }
}

/// The body's object; an empty body is an empty one.
pub async fn object(body: Body) -> Result<Map<String, Value>, ApiError> {
    let bytes: Bytes = body::read(body, body::SMALL).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    body::object(serde_json::from_slice(&bytes).map_err(|error| body::not_json(&bytes, &error))?)
}

/// A text in the body; none when it is absent or null.
pub fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(ApiError::invalid(format!("`{name}` must be a string, not {}", body::kind(other)))),
    }
}

/// Refuses fields that mean nothing: a slip there must not pass for a change that was made.
pub fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), ApiError> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let (name, near) = (shorten(name), did_you_mean(name, known.iter().copied()));
            let known = known.join("`, `");
            Err(ApiError::invalid(format!("`{name}` means nothing in this body: there is `{known}`{near}")))
        }
        None => Ok(()),
    }
}

/// Refuses fields that are slips of these. Others are let be, as the official server does.
pub fn no_slips(fields: &Map<String, Value>, known: &[&str]) -> Result<(), ApiError> {
    let unknown = fields.keys().map(|name| shorten(name)).filter(|name| !known.contains(&name.as_str()));
    let slip = |name: String| nearest(&name, known.iter().copied()).map(|near| (name.clone(), near));
    match unknown.filter_map(slip).next() {
        Some((name, near)) => {
            Err(ApiError::invalid(format!("`{name}` means nothing in this body; did you mean `{near}`?")))
        }
        None => Ok(()),
    }
}

/// A field that must be there.
pub fn required<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a Value, ApiError> {
    no_slips(fields, &[name])?;
    fields.get(name).ok_or_else(|| ApiError::invalid(format!("`{name}` is missing in the body")))
}

/// As much of a text as an answer repeats.
pub fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
