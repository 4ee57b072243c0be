//! The issuer's keys, fetched when they are needed and kept: nobody who presents tokens decides how often the issuer is asked.

use super::key_set::KeySet;
use crate::{AuthError, Web, web};
use faregate_core::model::Ms;
use http::{HeaderMap, StatusCode, Uri};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Keys are fetched anew when they are this old; those at hand stay good while that does not succeed.
const OLD_MS: Ms = 3_600_000;
/// A token with an unknown key, or keys that are old: the issuer is asked again at most so often.
const PAUSE_MS: Ms = 60_000;
/// With no keys at all it is asked again after this, then after twice as long, and so on up to [`PAUSE_MS`].
const FIRST_PAUSE_MS: Ms = 1_000;
/// It has so long to answer, for discovery and keys each.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Who signs tokens.
pub struct Issuer {
    name: String,
    /// Where its keys are, if that is configured.
    jwks_url: Option<Uri>,
    web: Arc<Web>,
    known: Mutex<Known>,
    /// Whoever asks holds it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Option<Arc<KeySet>>,
    fetched_at: Ms,
    asked_at: Option<Ms>,
    failures: u32,
    /// Where the keys are, as discovered.
    jwks_url: Option<Uri>,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Known {
    fn is_old(&self, now: Ms) -> bool {
        !(0..OLD_MS).contains(&(now - self.fetched_at))
    }

    fn may_ask(&self, now: Ms) -> bool {
        let pause = match self.keys {
            Some(_) => PAUSE_MS,
            None => (FIRST_PAUSE_MS << self.failures.saturating_sub(1).min(10)).min(PAUSE_MS),
        };
        self.asked_at.is_none_or(|asked_at| !(0..pause).contains(&(now - asked_at)))
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Result<Arc<DecodingKey>, AuthError>> {
        self.keys.as_ref()?.find(id, algorithm)
    }
}

impl Issuer {
    /// Nothing is fetched yet.
    pub fn new(name: String, jwks_url: Option<Uri>, web: Arc<Web>) -> Self {
        Issuer { name, jwks_url, web, known: Mutex::default(), turn: Arc::default() }
    }

    /// The key that a token is to be checked with.
    pub async fn key(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Ms,
    ) -> Result<Arc<DecodingKey>, AuthError> {
        let known = self.known().clone();
        let found = known.find(id, algorithm);
        let turn = match found {
            Some(found) if !known.is_old(now) => return found,
            // a key at hand is good enough while somebody else asks
            Some(found) => match self.turn.clone().try_lock_owned() {
                Ok(turn) => turn,
                Err(_) => return found,
            },
            None => self.turn.clone().lock_owned().await,
        };
        let known = self.known().clone();
        if (known.is_old(now) || known.find(id, algorithm).is_none()) && known.may_ask(now) {
            let issuer = self.clone();
            // goes on when the caller does not wait: who leaves early must not keep everybody from the new keys
            let asking = tokio::spawn(async move {
                issuer.ask(now).await;
                drop(turn);
            });
            if let Err(error) = asking.await {
                tracing::error!(%error, "issuer keys request broke off");
            }
        }
        let known = self.known();
        match known.find(id, algorithm) {
            Some(found) => found,
            None if known.keys.is_some() => Err(AuthError::denied("the token's key is not one of the issuer's")),
            None => Err(AuthError::Unavailable(format!(
                "tokens cannot be checked now: `{}` was asked for its keys and gave none; try again in a minute",
                self.name
            ))),
        }
    }

    async fn ask(&self, now: Ms) {
        let url = {
            let mut known = self.known();
            known.asked_at = Some(now);
            // it may have moved them
            let discovered = if known.is_old(now) { None } else { known.jwks_url.clone() };
            self.jwks_url.clone().or(discovered)
        };
        let fetched = self.fetch(url).await;
        let mut known = self.known();
        match fetched {
            Ok((url, keys)) => {
                let (keys, jwks_url) = (Some(Arc::new(keys)), Some(url));
                *known = Known { keys, fetched_at: now, asked_at: Some(now), failures: 0, jwks_url };
            }
            Err(error) => {
                known.failures = known.failures.saturating_add(1);
                known.jwks_url = None;
                let kept = known.keys.is_some();
                tracing::warn!(issuer = self.name, error, kept, "issuer keys not fetched");
            }
        }
    }

    async fn fetch(&self, url: Option<Uri>) -> Result<(Uri, KeySet), String> {
        let url = match url {
            Some(url) => url,
            None => self.discover().await?,
        };
        let keys = self.get(&url).await.and_then(|body| KeySet::read(&body));
        keys.map(|keys| (url.clone(), keys)).map_err(|error| format!("`{url}`: {error}"))
    }

    /// <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>
    async fn discover(&self) -> Result<Uri, String> {
        let url = format!("{}/.well-known/openid-configuration", self.name.trim_end_matches('/'));
        let discovered = async {
            let body = self.get(&web::address(&url)?).await?;
            let found: Discovered = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
            if found.issuer != self.name {
                return Err(format!("this is the issuer `{}`", found.issuer));
            }
            let keys = web::address(&found.jwks_uri).map_err(|problem| format!("its `jwks_uri` {problem}"))?;
            if url.starts_with("https:") && keys.scheme_str() != Some("https") {
                return Err("its `jwks_uri` is not https, as it is itself".into());
            }
            Ok(keys)
        };
        discovered.await.map_err(|error: String| format!("`{url}`: {error}"))
    }

    async fn get(&self, url: &Uri) -> Result<bytes::Bytes, String> {
        let answer = self.web.get(url, &HeaderMap::new(), TIMEOUT).await.map_err(|error| error.to_string())?;
        if answer.status == StatusCode::OK { Ok(answer.body) } else { Err(format!("answers {}", answer.status)) }
    }

    /// A panic under the lock leaves what was known before.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
