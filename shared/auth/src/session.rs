//! The session cookie: a signed statement of who the user is, so that nothing about sessions is stored and every replica can read it.

use crate::auth::SessionStart;
use faregate_core::model::clock::{CLOCK_SKEW_MS, is_ahead};
use faregate_core::model::{Identity, Ms, Role, TokenUse};
use faregate_headers::cookies;
use faregate_keys::{KeyRing, KeyRingError};
use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How long one is good, in milliseconds. Used in its second half, it is renewed …
const LIFE_MS: Ms = 3_600_000;
/// … until the credentials themselves are this old: then they must be shown again.
const CREDENTIALS_LIFE_MS: Ms = 24 * 3_600_000;
/// Sessions remembered as verified.
const MOST_SEEN: usize = 1024;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    role: Role,
    method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<TokenUse>,
    /// When credentials were shown, to the millisecond: a password that was changed in the same second ends what began before.
    since: Ms,
    /// See [`super::Method::stamp`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    /// In seconds, as RFC 7519 has it.
    exp: i64,
}

/// A good session.
pub struct Session {
    /// Whose.
    pub who: Identity,
    /// When they showed credentials, and which.
    pub(crate) start: SessionStart,
    /// Is the cookie to be renewed?
    pub renew: bool,
}

/// Makes and reads session cookies.
pub struct Sessions {
    header: Header,
    signing: EncodingKey,
    /// By key id.
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
    /// What verified before, by its text: verifying takes longer than the rest of a short request. Whether it still holds is
    /// looked at each time.
    seen: Cache<String, Arc<Claims>>,
}

impl Sessions {
    /// The newest key signs, every one verifies.
    pub fn new(ring: &KeyRing) -> Result<Self, KeyRingError> {
        let newest = ring.newest();
        let verifying = ring
            .keys
            .iter()
            .map(|key| Ok((key.id.clone(), DecodingKey::from_secret(&ring.session_key(&key.id)?))))
            .collect::<Result<_, KeyRingError>>()?;
        let mut validation = Validation::new(Algorithm::HS256);
        // checked below, by the gateway's own clock
        validation.validate_exp = false;
        Ok(Sessions {
            header: Header { kid: Some(newest.id.clone()), ..Header::new(Algorithm::HS256) },
            signing: EncodingKey::from_secret(&ring.session_key(&newest.id)?),
            verifying,
            validation,
            seen: Cache::new(MOST_SEEN),
        })
    }

    /// The value of a new cookie for somebody who showed credentials; none when that is too long ago.
    pub(crate) fn issue(&self, who: &Identity, start: &SessionStart, now: Ms) -> Option<String> {
        let expires = (now + LIFE_MS).min(start.at + CREDENTIALS_LIFE_MS);
        if expires <= now {
            return None;
        }
        let claims = Claims {
            sub: who.name.clone(),
            groups: who.groups.clone(),
            role: who.role,
            method: who.method.clone(),
            token: who.token.clone(),
            since: start.at,
            stamp: start.stamp.clone(),
            exp: expires / 1000,
        };
        encode(&self.header, &claims, &self.signing)
            .inspect_err(|error| tracing::error!(%error, "session cookie not signed"))
            .ok()
    }

    /// The first good session among the request's cookies of this name.
    pub fn find(&self, headers: &HeaderMap, cookie: &str, now: Ms) -> Option<Session> {
        cookies(headers, cookie).find_map(|value| self.open(value, now))
    }

    fn open(&self, token: &str, now: Ms) -> Option<Session> {
        let claims = match self.seen.get(token) {
            Some(claims) => claims,
            None => self.verify(token)?,
        };
        let left = claims.exp.checked_mul(1000)? - now;
        // what a clock that was ahead has issued would outlive what it began with
        let is_of_tomorrow = left > LIFE_MS + CLOCK_SKEW_MS || is_ahead(claims.since, now);
        if left <= 0 || is_of_tomorrow {
            self.seen.remove(token);
            return None;
        }
        let Claims { sub, groups, role, method, token, since, stamp, .. } = &*claims;
        let (name, groups, method) = (sub.clone(), groups.clone(), method.clone());
        let who = Identity { name, groups, role: *role, method, token: token.clone() };
        let start = SessionStart { at: *since, stamp: stamp.clone() };
        Some(Session { who, start, renew: left <= LIFE_MS / 2 })
    }

    fn verify(&self, token: &str) -> Option<Arc<Claims>> {
        let kid = decode_header(token).ok()?.kid?;
        let (_, key) = self.verifying.iter().find(|(id, _)| *id == kid)?;
        let claims = Arc::new(decode::<Claims>(token, key, &self.validation).ok()?.claims);
        self.seen.insert(token.to_owned(), claims.clone());
        Some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use faregate_core::model::TokenScope;
    use faregate_keys::RingKey;
    use http::HeaderValue;
    use http::header;

    const COOKIE: &str = "faregate-session";
    const NOW: Ms = 1_800_000_000_000;

    fn start() -> SessionStart {
        SessionStart { at: NOW, stamp: Some("0123".into()) }
    }

    fn ring() -> KeyRing {
        KeyRing::from_random(&std::array::from_fn(|i| i as u8))
    }

    fn alice() -> Identity {
        Identity {
            name: "alice é".into(),
            groups: vec!["a".into()],
            role: Role::Admin,
            method: "tokens".into(),
            token: Some(TokenUse { id: "1".into(), scopes: [TokenScope::Read].into() }),
        }
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn cookie(value: &str) -> HeaderMap {
        headers(&[&format!("{COOKIE}={value}")])
    }

    #[test]
    fn a_session_carries_who_it_is_until_it_expires() {
        let sessions = Sessions::new(&ring()).unwrap();
        let value = sessions.issue(&alice(), &start(), NOW).unwrap();
        let found = sessions.find(&cookie(&value), COOKIE, NOW + 1000).unwrap();
        assert_eq!((found.who, found.start, found.renew), (alice(), start(), false));
        assert!(sessions.find(&cookie(&value), COOKIE, NOW + LIFE_MS - 1000).is_some());
        assert!(sessions.find(&cookie(&value), COOKIE, NOW + LIFE_MS).is_none());
    }

    #[test]
    fn a_session_that_a_clock_ahead_has_issued_is_good_for_nobody_until_then() {
        let sessions = Sessions::new(&ring()).unwrap();
        let value = sessions.issue(&alice(), &start(), NOW).unwrap();
        assert!(sessions.find(&cookie(&value), COOKIE, NOW - CLOCK_SKEW_MS).is_some(), "another host's clock");
        assert!(sessions.find(&cookie(&value), COOKIE, NOW - 600_000).is_none(), "set back by ten minutes");
    }

    #[test]
    fn a_session_in_its_second_half_is_renewed_until_the_credentials_are_a_day_old() {
        let sessions = Sessions::new(&ring()).unwrap();
        let mut now = NOW;
        let mut value = sessions.issue(&alice(), &start(), now).unwrap();
        while let Some(found) = sessions.find(&cookie(&value), COOKIE, now) {
            if let Some(next) = sessions.issue(&found.who, &found.start, now).filter(|_| found.renew) {
                value = next;
            }
            now += 60_000;
        }
        assert_eq!(now - NOW, CREDENTIALS_LIFE_MS);
    }

    #[test]
    fn the_good_session_is_found_among_bad_ones_and_others() {
        let sessions = Sessions::new(&ring()).unwrap();
        let value = sessions.issue(&alice(), &start(), NOW).unwrap();
        let lines = ["x=y; faregate-session=stale; z", &format!("a=b;  {COOKIE}={value} ; c=d")];
        assert!(sessions.find(&headers(&lines), COOKIE, NOW).is_some());
        assert!(sessions.find(&headers(&["x=y", "", ";;=;", COOKIE]), COOKIE, NOW).is_none());
    }

    #[test]
    fn an_older_key_still_verifies_and_a_key_out_of_the_ring_does_not() {
        let old = ring();
        let value = Sessions::new(&old).unwrap().issue(&alice(), &start(), NOW).unwrap();
        let mut new = old.clone();
        let secret = base64::engine::general_purpose::STANDARD.encode([9; 32]);
        new.keys.insert(0, RingKey::new("k2", secret));
        assert!(Sessions::new(&new).unwrap().find(&cookie(&value), COOKIE, NOW).is_some());
        new.keys.truncate(1);
        assert!(Sessions::new(&new).unwrap().find(&cookie(&value), COOKIE, NOW).is_none());
    }

    #[test]
    fn forged_sessions_are_absent() {
        let sessions = Sessions::new(&ring()).unwrap();
        let value = sessions.issue(&alice(), &start(), NOW).unwrap();
        let parts: Vec<&str> = value.split('.').collect();
        let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let unsigned = b64(r#"{"alg":"none","kid":"k1"}"#);
        let other_algorithm = b64(r#"{"alg":"HS512","kid":"k1"}"#);
        let claims = b64(&format!(
            r#"{{"sub":"bob","role":"admin","method":"basic","since":{t},"exp":{t}}}"#,
            t = NOW / 1000 + 3000
        ));
        for forged in [
            format!("{unsigned}.{}.", parts[1]),
            format!("{other_algorithm}.{}.{}", parts[1], parts[2]),
            format!("{}.{claims}.{}", parts[0], parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
            format!("{}.{}", parts[0], parts[1]),
            "..".into(),
            String::new(),
        ] {
            assert!(sessions.find(&cookie(&forged), COOKIE, NOW).is_none(), "{forged}");
        }
    }
}
