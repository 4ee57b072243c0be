//! Tokens of JupyterHub, which is asked whose they are.
//!
//! As the official server does it: `Authorization: jupyterhub <token>`, the hub's own `GET <api_url>/user`, and its scopes.

mod config;
mod hub;

#[cfg(test)]
mod tests;

pub use config::Config;

use crate::registry::{Backends, MethodConfig};
use crate::{AuthConfigError, AuthError, Authenticated, Method, Opened, Peer, Presented, Web};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::Ms;
use http::HeaderValue;
use hub::{Hub, authorization, silent};
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, Semaphore};

impl MethodConfig for Config {
    const NAME: &'static str = "jupyterhub";
    const ORDER: u8 = 30;
    const MANUAL: &'static str = r##"
# Tokens of a JupyterHub. With a service's name, only those that may access it.
#
# [auth.jupyterhub]
# api_url = "https://hub.example.com/hub/api"
# service_name = "faregate"
"##;

    fn check(&self, _: &crate::Config) -> Result<(), AuthConfigError> {
        self.check()
    }

    fn open(&self, backends: &Backends<'_>) -> Opened {
        Ok(Box::new(JupyterHub::new(self.clone(), backends.web.clone())?))
    }
}

/// What the hub said of a token is remembered so long, …
const REMEMBERED_MS: Ms = 60_000;
/// … and that it said nothing, so long: long enough that those who wait in line for it do not each wait in turn.
const SILENCE_REMEMBERED_MS: Ms = 10_000;
/// Tokens of which something is remembered. When there are more, what is past its time is forgotten, then what is not good, then all.
const MOST_REMEMBERED: usize = 4096;
/// Questions to the hub under way at once, about tokens that were not good before …
const QUESTIONS: usize = 16;
/// … and about those that were, within a day: made-up tokens take no place of theirs.
const QUESTIONS_OF_KNOWN: usize = 16;
const KNOWN_MS: Ms = 24 * 3_600_000;

/// Lets in those whose token the hub knows.
pub struct JupyterHub {
    hub: Arc<Hub>,
    asked: Mutex<HashMap<[u8; 32], Asked>>,
    /// Since when a token was last good.
    good: Cache<[u8; 32], Ms>,
    questions: Arc<Semaphore>,
    questions_of_known: Arc<Semaphore>,
}

/// One token, by its hash: it costs one question, however many present it at once.
#[derive(Clone)]
struct Asked {
    at: Ms,
    answer: Arc<OnceCell<Result<Authenticated, AuthError>>>,
}

impl Asked {
    fn is_good(&self, now: Ms) -> bool {
        let life = match self.answer.get() {
            Some(Err(AuthError::Unavailable(_))) => SILENCE_REMEMBERED_MS,
            _ => REMEMBERED_MS,
        };
        (0..life).contains(&(now - self.at))
    }
}

impl JupyterHub {
    /// The hub is asked for the first token.
    pub fn new(config: Config, web: Arc<Web>) -> Result<Self, AuthConfigError> {
        let [questions, questions_of_known] =
            [QUESTIONS, QUESTIONS_OF_KNOWN].map(|many| Arc::new(Semaphore::new(many)));
        let (asked, good) = (Mutex::default(), Cache::new(MOST_REMEMBERED));
        Ok(JupyterHub { hub: Arc::new(Hub::new(config, web)?), asked, good, questions, questions_of_known })
    }

    fn was_good(&self, hash: &[u8; 32], now: Ms) -> bool {
        self.good.get(hash).is_some_and(|at| (0..KNOWN_MS).contains(&(now - at)))
    }

    /// By hand, unlike the cache beside it: when there are too many, good answers go last. Made-up tokens push out no other.
    fn asked(&self, hash: [u8; 32], now: Ms) -> Asked {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = asked.get(&hash).filter(|asked| asked.is_good(now)) {
            return asked.clone();
        }
        if asked.len() >= MOST_REMEMBERED {
            asked.retain(|_, asked| asked.is_good(now));
        }
        if asked.len() >= MOST_REMEMBERED {
            asked.retain(|_, asked| matches!(asked.answer.get(), Some(Ok(_))));
        }
        if asked.len() >= MOST_REMEMBERED {
            asked.clear();
        }
        let new = Asked { at: now, answer: Arc::default() };
        asked.insert(hash, new.clone());
        new
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

fn crowded() -> AuthError {
    let sentence = "too many tokens of JupyterHub are being checked; try again".to_owned();
    AuthError::TooMany { sentence, seconds: 1 }
}

#[async_trait]
impl Method for JupyterHub {
    fn name(&self) -> &'static str {
        Config::NAME
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("jupyterhub"))
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::JupyterHub(_))
    }

    async fn authenticate(&self, presented: &Presented, _: &Peer, now: Ms) -> Result<Authenticated, AuthError> {
        let Presented::JupyterHub(token) = presented else { return Err(AuthError::denied("no token of JupyterHub")) };
        let authorization = authorization(token).ok_or(AuthError::denied("this cannot be a token of JupyterHub"))?;
        let hash = hash(token);
        let Asked { answer, .. } = self.asked(hash, now);
        let places = if self.was_good(&hash, now) { &self.questions_of_known } else { &self.questions };
        let (hub, places) = (self.hub.clone(), places.clone());
        // goes on when the caller does not wait: whoever keeps leaving must not make the hub be asked each time
        let asking = async move {
            let ask = async || {
                // the place is the question's: those who wait for the same answer take none
                let _place = places.try_acquire().map_err(|_| crowded())?;
                Ok(hub.whose(authorization).await)
            };
            // that there was no place is nothing to be remembered
            answer.get_or_try_init(ask).await.cloned().unwrap_or_else(Err)
        };
        let entered = tokio::spawn(asking).await.unwrap_or_else(|error| {
            tracing::error!(%error, "jupyterhub request broke off");
            Err(silent())
        });
        if entered.is_ok() {
            self.good.insert(hash, now);
        }
        entered
    }
}
