//! What the hub says of a token.

use super::Config;
use crate::groups::groups;
use crate::registry::MethodConfig;
use crate::web::{Answer, NoAnswer};
use crate::{AuthConfigError, AuthError, Authenticated, Web};
use faregate_core::model::{Role, user_name};
use http::HeaderValue;
use http::{HeaderMap, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// What is escaped in a part of a path.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The hub has so long for one answer, …
const TIMEOUT: Duration = Duration::from_secs(2);
/// … and so long for all that is asked about a token, with all repetitions.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before the first repetition; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A longer token is not read, in bytes.
const LONGEST: usize = 1024;

/// What the hub is sent, if this can be one of its tokens.
pub fn authorization(token: &str) -> Option<HeaderValue> {
    if token.len() > LONGEST || token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let mut value = HeaderValue::try_from(format!("token {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The hub.
pub struct Hub {
    config: Config,
    user_url: Uri,
    web: Arc<Web>,
}

/// <https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html>: what it says of a user or a service.
#[derive(Deserialize)]
struct Whose {
    name: String,
    kind: String,
    groups: Option<Vec<String>>,
    admin: Option<bool>,
    #[serde(default)]
    scopes: Vec<String>,
}

impl Hub {
    /// Nothing is asked yet.
    pub fn new(config: Config, web: Arc<Web>) -> Result<Self, AuthConfigError> {
        config.check()?;
        Ok(Hub { user_url: config.user_url()?, config, web })
    }

    /// Whose token it is, and whether it is good here.
    pub async fn whose(self: Arc<Self>, authorization: HeaderValue) -> Result<Authenticated, AuthError> {
        let deadline = Instant::now() + PATIENCE;
        let whose = match self.get(&self.user_url, authorization, deadline).await? {
            Some(whose) => whose,
            None => return Err(AuthError::denied("JupyterHub does not know the token")),
        };
        // a user and a service may have the same name
        let is_user = whose.kind == "user" && !whose.name.contains(':');
        let name = if is_user { whose.name.clone() } else { format!("{}:{}", whose.kind, whose.name) };
        let name = user_name(&name).map_err(|_| AuthError::denied("no user can be called so"))?;
        if let Some(service) = &self.config.service_name {
            let one = format!("access:services!service={service}");
            if !whose.scopes.iter().any(|scope| *scope == one || scope == "access:services") {
                return Err(AuthError::denied(format!(
                    "the token of `{}` lacks the scope `{one}`",
                    name.escape_debug()
                )));
            }
        }
        let known = match whose.groups {
            None if whose.kind == "user" => self.groups_of(&whose.name, deadline).await?,
            known => known.unwrap_or_default(),
        };
        let mut entered = Authenticated::user(name, Config::NAME);
        if whose.admin == Some(true) {
            entered.who.role = Role::Admin;
        }
        entered.who.groups = groups(&entered.who.name, known);
        Ok(entered)
    }

    /// Groups of a user whose token may not read them. Their role stays unknown: an admin's narrow token is no admin's.
    async fn groups_of(&self, user: &str, deadline: Instant) -> Result<Vec<String>, AuthError> {
        let own = self.config.api_token.as_deref().and_then(authorization);
        let url = format!("{}s/{}", self.user_url, utf8_percent_encode(user, &SEGMENT)).parse().ok();
        let Some((url, own)) = url.zip(own) else { return Ok(Vec::new()) };
        let known = self.get(&url, own, deadline).await?.and_then(|known| known.groups);
        if known.is_none() {
            tracing::warn!(user, "jupyterhub groups not readable by `auth.jupyterhub.api_token`");
        }
        Ok(known.unwrap_or_default())
    }

    /// Asks, and asks again while the hub is out of order. None = it refuses.
    async fn get(&self, url: &Uri, authorization: HeaderValue, deadline: Instant) -> Result<Option<Whose>, AuthError> {
        let headers: HeaderMap = [(header::AUTHORIZATION, authorization)].into_iter().collect();
        let mut pause = FIRST_PAUSE;
        loop {
            let problem = match timeout_at(deadline, self.web.get_following(url, &headers, TIMEOUT)).await {
                Ok(Ok(Answer { status, .. })) if status.is_server_error() => format!("answers {status}"),
                Ok(Ok(answer)) => return read(&answer),
                // it is up, and asking again at once is of no use
                Ok(Err(error @ (NoAnswer::Elsewhere(_) | NoAnswer::Redirects))) => {
                    tracing::warn!(%url, %error, "jupyterhub did not answer: is `auth.jupyterhub.api_url` right?");
                    return Err(silent());
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {PATIENCE:?}"),
            };
            if Instant::now() + pause >= deadline {
                tracing::warn!(%url, problem, "jupyterhub request failed");
                return Err(silent());
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
}

fn read(answer: &Answer) -> Result<Option<Whose>, AuthError> {
    match answer.status {
        StatusCode::OK => serde_json::from_slice(&answer.body).map(Some).map_err(|error| {
            tracing::warn!(%error, "jupyterhub answer not readable");
            silent()
        }),
        // the hub answers 403 to a token that it does not know, and 404 when its user is gone
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(None),
        status => {
            tracing::warn!(%status, "jupyterhub did not answer: is `auth.jupyterhub.api_url` right?");
            Err(silent())
        }
    }
}

/// The hub says nothing.
pub fn silent() -> AuthError {
    AuthError::Unavailable("tokens of JupyterHub cannot be checked now: the hub does not answer; try again soon".into())
}
