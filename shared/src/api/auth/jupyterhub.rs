//! Tokens of JupyterHub, which is asked whose they are.
//!
//! As the official server does it: `Authorization: jupyterhub <token>`, the hub's own `GET <api_url>/user`, and its scopes.

use super::groups::groups;
use super::web::{self, Answer, Web};
use super::{Entered, Method, Presented, Refused, Wrong};
use crate::model::{Ms, Role, user_name};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderValue;
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout_at};

/// What the hub said of a token is remembered so long, …
const REMEMBERED_MS: Ms = 60_000;
/// … and that it said nothing, so long: long enough that those who wait in line for it do not each wait in turn.
const SILENCE_REMEMBERED_MS: Ms = 10_000;
/// Tokens of which something is remembered. When there are more, what is past its time is forgotten, and then all.
const MOST_REMEMBERED: usize = 4096;
/// The hub has so long for one answer, …
const TIMEOUT: Duration = Duration::from_secs(2);
/// … and so long with all repetitions.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before the first repetition; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A longer token is not read, in bytes.
const LONGEST: usize = 1024;

/// `[auth.jupyterhub]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The hub's API: `https://hub.example/hub/api`.
    pub api_url: String,
    /// The gateway's own token at the hub: it reads groups and role of those whose own tokens may not. None = they have none then.
    pub api_token: Option<String>,
    /// The gateway's name as a service of the hub: tokens must have the scope to access it. None = any token of the hub will do.
    pub service_name: Option<String>,
}

impl Config {
    /// Its fields, as the configuration names them.
    pub const FIELDS: [&str; 3] = ["api_url", "api_token", "service_name"];

    /// Can the hub be asked?
    pub fn check(&self) -> Result<(), Wrong> {
        self.user_url().map_err(|problem| wrong("api_url", problem))?;
        if let Some(token) = &self.api_token {
            authorization(token).ok_or_else(|| wrong("api_token", "is no token of a JupyterHub"))?;
        }
        if self.service_name.as_ref().is_some_and(String::is_empty) {
            return Err(wrong(
                "service_name",
                "must be a service's name; leave it out where any token of the hub will do",
            ));
        }
        Ok(())
    }

    fn user_url(&self) -> Result<Uri, &'static str> {
        web::address(&self.api_url)?;
        web::address(&format!("{}/user", self.api_url.trim_end_matches('/')))
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("api_url", &self.api_url).field("service_name", &self.service_name).finish()
    }
}

fn wrong(field: &str, problem: &str) -> Wrong {
    Wrong::Invalid { field: format!("auth.jupyterhub.{field}"), problem: problem.to_owned() }
}

/// Lets in those whose token the hub knows.
pub struct JupyterHub {
    hub: Arc<Hub>,
    asked: Mutex<HashMap<[u8; 32], Asked>>,
}

/// One token, by its hash: it costs one question, however many present it at once.
#[derive(Clone)]
struct Asked {
    at: Ms,
    answer: Arc<OnceCell<Result<Entered, Refused>>>,
}

impl Asked {
    fn is_good(&self, now: Ms) -> bool {
        let life = match self.answer.get() {
            Some(Err(Refused::Unavailable(_))) => SILENCE_REMEMBERED_MS,
            _ => REMEMBERED_MS,
        };
        (0..life).contains(&(now - self.at))
    }
}

impl JupyterHub {
    /// The hub is asked for the first token.
    pub fn new(config: Config, web: Arc<Web>) -> Result<Self, Wrong> {
        config.check()?;
        let user_url = config.user_url().map_err(|problem| wrong("api_url", problem))?;
        Ok(JupyterHub { hub: Arc::new(Hub { config, user_url, web }), asked: Mutex::default() })
    }

    fn asked(&self, token: &str, now: Ms) -> Asked {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = asked.get(&hash).filter(|asked| asked.is_good(now)) {
            return asked.clone();
        }
        if asked.len() >= MOST_REMEMBERED {
            asked.retain(|_, asked| asked.is_good(now));
        }
        if asked.len() >= MOST_REMEMBERED {
            asked.clear();
        }
        let new = Asked { at: now, answer: Arc::default() };
        asked.insert(hash, new.clone());
        new
    }
}

#[async_trait]
impl Method for JupyterHub {
    fn name(&self) -> &'static str {
        "jupyterhub"
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("jupyterhub"))
    }

    fn takes(&self, presented: &Presented) -> bool {
        matches!(presented, Presented::JupyterHub(_))
    }

    async fn enter(&self, presented: &Presented, now: Ms) -> Result<Entered, Refused> {
        let Presented::JupyterHub(token) = presented else { return Err(Refused::denied("no token of JupyterHub")) };
        let authorization = authorization(token).ok_or(Refused::denied("this cannot be a token of JupyterHub"))?;
        let asked = self.asked(token, now);
        asked.answer.get_or_init(|| self.hub.clone().whose(authorization)).await.clone()
    }
}

fn authorization(token: &str) -> Option<HeaderValue> {
    if token.len() > LONGEST || !token.bytes().all(|b| b.is_ascii_graphic()) || token.is_empty() {
        return None;
    }
    let mut value = HeaderValue::try_from(format!("token {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The hub.
struct Hub {
    config: Config,
    user_url: Uri,
    web: Arc<Web>,
}

/// https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html: what it says of a user or a service.
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
    /// Goes on when the caller does not wait: their next try finds the answer.
    async fn whose(self: Arc<Self>, authorization: HeaderValue) -> Result<Entered, Refused> {
        let asking = tokio::spawn(async move { self.judge(authorization).await });
        asking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "asking JupyterHub broke off");
            Err(silent())
        })
    }

    async fn judge(&self, authorization: HeaderValue) -> Result<Entered, Refused> {
        let mut whose = match self.get(&self.user_url, authorization).await? {
            Some(whose) => whose,
            None => return Err(Refused::denied("JupyterHub does not know the token")),
        };
        // a user and a service may have the same name
        let is_user = whose.kind == "user" && !whose.name.contains(':');
        let name = if is_user { whose.name.clone() } else { format!("{}:{}", whose.kind, whose.name) };
        let name = user_name(&name).map_err(|_| Refused::denied("no user can be called so"))?;
        if let Some(service) = &self.config.service_name {
            let one = format!("access:services!service={service}");
            if !whose.scopes.iter().any(|scope| *scope == one || scope == "access:services") {
                return Err(Refused::denied(format!("the token of `{}` lacks the scope `{one}`", name.escape_debug())));
            }
        }
        if whose.kind == "user" && (whose.groups.is_none() || whose.admin.is_none()) {
            self.complete(&mut whose).await?;
        }
        let mut entered = Entered::user(name, "jupyterhub");
        if whose.admin == Some(true) {
            entered.who.role = Role::Admin;
        }
        entered.who.groups = groups(&entered.who.name, whose.groups.unwrap_or_default());
        Ok(entered)
    }

    /// What the token may not read of its own user.
    async fn complete(&self, whose: &mut Whose) -> Result<(), Refused> {
        let Some(own) = self.config.api_token.as_deref().and_then(authorization) else { return Ok(()) };
        let url = format!("{}s/{}", self.user_url, path_segment(&whose.name));
        let Ok(url) = url.parse() else { return Ok(()) };
        match self.get(&url, own).await? {
            Some(known) => {
                whose.groups = whose.groups.take().or(known.groups);
                whose.admin = whose.admin.or(known.admin);
            }
            None => {
                tracing::warn!(user = whose.name, "`auth.jupyterhub.api_token` may not read a user's groups and role")
            }
        }
        Ok(())
    }

    /// Asks, and asks again while the hub is out of order. None = it refuses.
    async fn get(&self, url: &Uri, authorization: HeaderValue) -> Result<Option<Whose>, Refused> {
        let headers: HeaderMap = [(header::AUTHORIZATION, authorization)].into_iter().collect();
        let deadline = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let problem = match timeout_at(deadline, self.web.get(url, &headers, TIMEOUT)).await {
                Ok(Ok(Answer { status, .. })) if status.is_server_error() => format!("answers {status}"),
                Ok(Ok(answer)) => return read(&answer),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {PATIENCE:?}"),
            };
            if Instant::now() + pause >= deadline {
                tracing::warn!(%url, problem, "JupyterHub cannot be asked about a token");
                return Err(silent());
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
}

fn read(answer: &Answer) -> Result<Option<Whose>, Refused> {
    match answer.status {
        StatusCode::OK => serde_json::from_slice(&answer.body).map(Some).map_err(|error| {
            tracing::warn!(%error, "JupyterHub's answer about a token cannot be read");
            silent()
        }),
        // the hub answers 403 to a token that it does not know, and 404 when its user is gone
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(None),
        status => {
            tracing::warn!(%status, "JupyterHub does not answer about a token: is `auth.jupyterhub.api_url` right?");
            Err(silent())
        }
    }
}

fn silent() -> Refused {
    Refused::Unavailable("tokens of JupyterHub cannot be checked now: the hub does not answer; try again soon".into())
}

/// Percent-encoded, as a part of a path.
fn path_segment(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests;
