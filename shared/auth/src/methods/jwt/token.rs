//! A token's text, taken apart. Nothing of it is true before its signature is.

use crate::AuthError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::str::FromStr;

/// A longer one is not read, in bytes.
pub const LONGEST: usize = 16 << 10;

/// A signed token.
pub struct Token<'a> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// With which key.
    pub kid: Option<String>,
    /// What it says.
    pub claims: Map<String, Value>,
    message: &'a str,
    signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

/// Three parts in base64url, the first of them beginning as a JSON object does.
pub fn looks_like_one(text: &str) -> bool {
    let mut parts = 0;
    text.starts_with("eyJ")
        && text.split('.').all(|part| {
            parts += 1;
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
        && parts == 3
}

impl<'a> Token<'a> {
    /// Reads it, if it is signed in one of these ways.
    pub fn read(text: &'a str, algorithms: &[Algorithm]) -> Result<Self, AuthError> {
        if text.len() > LONGEST {
            return Err(AuthError::denied("the token is too long"));
        }
        let unreadable = || AuthError::denied("the token cannot be read");
        let (message, signature) = text.rsplit_once('.').ok_or_else(unreadable)?;
        let (header, claims) = message.split_once('.').ok_or_else(unreadable)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| unreadable());
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| unreadable())?;
        let algorithm = Algorithm::from_str(&header.alg).ok().filter(|one| algorithms.contains(one));
        let algorithm = algorithm.ok_or(AuthError::denied("the token is signed in a way that is not accepted"))?;
        if header.crit.is_some() {
            return Err(AuthError::denied("the token demands an extension that is not known"));
        }
        let claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| unreadable())?;
        Ok(Token { algorithm, kid: header.kid, claims, message, signature })
    }

    /// Is it signed with this key?
    pub fn verify(&self, key: &DecodingKey) -> Result<(), AuthError> {
        match crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(AuthError::denied("the token's signature is wrong")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_look() {
        for token in ["eyJ.e30.c2ln", "eyJhbGciOiJSUzI1NiJ9.e30.-_"] {
            assert!(looks_like_one(token), "{token}");
        }
        for other in [
            "",
            "eyJ",
            "eyJ.e30",
            "eyJ.e30.",
            "eyJ..c2ln",
            ".eyJ.e30.c2ln",
            "eyJ.e30.c2ln.",
            "eyJ.a.b.c.d",
            "abc.e30.c",
            "eyJ.e3=.c",
            "eyJ.e30.c c",
        ] {
            assert!(!looks_like_one(other), "{other}");
        }
    }

    #[test]
    fn what_is_unreadable_or_too_long_is_denied() {
        let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let read = |header: &str, claims: &str| {
            let text = format!("{}.{}.c2ln", b64(header), b64(claims));
            Token::read(&text, &[Algorithm::RS256]).map(|_| ())
        };
        assert_eq!(read(r#"{"alg":"RS256"}"#, "{}"), Ok(()));
        for (header, claims) in [
            (r#"{}"#, "{}"),
            (r#"{"alg":1}"#, "{}"),
            (r#"{"alg":"none"}"#, "{}"),
            (r#"{"alg":"None"}"#, "{}"),
            (r#"{"alg":"HS256"}"#, "{}"),
            (r#"{"alg":"rs256"}"#, "{}"),
            (r#"{"alg":"ES256"}"#, "{}"),
            (r#"{"alg":"RS256","alg":"RS256"}"#, "{}"),
            (r#"{"alg":"RS256","kid":7}"#, "{}"),
            (r#"{"alg":"RS256","crit":["exp"]}"#, "{}"),
            (r#"{"alg":"RS256","crit":[],"b64":false}"#, "{}"),
            (r#"{"alg":"RS256"}"#, "[]"),
            (r#"{"alg":"RS256"}"#, "\u{0}"),
            (r#"{"alg":"RS256"}"#, ""),
        ] {
            assert!(read(header, claims).is_err(), "{header} {claims}");
        }
        assert!(read(r#"{"alg":"RS256"}"#, &format!("{{\"x\":\"{}\"}}", "x".repeat(LONGEST))).is_err());
        assert!(read(r#"{"alg":"RS256"}"#, &"[".repeat(10_000)).is_err());
    }
}
