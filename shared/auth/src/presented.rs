//! What an `Authorization` header holds, by its scheme.

use crate::AuthError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

/// Credentials, as they were presented.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Presented {
    /// A name, perhaps empty, and a password; which may be a token.
    Basic { name: String, password: String },
    /// `Bearer <token>`.
    Bearer(String),
    /// `jupyterhub <token>`.
    JupyterHub(String),
    /// `Negotiate <token>`: a GSS-API token, decoded.
    Negotiate(Vec<u8>),
    /// No such header, or one of a scheme that is nobody's here.
    Nothing,
}

/// Scheme and credentials of the `Authorization` header; without a space there are no credentials.
pub fn authorization(headers: &HeaderMap) -> Option<(&[u8], &[u8])> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes().trim_ascii();
    let end = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    Some((&value[..end], value[end..].trim_ascii()))
}

impl Presented {
    /// Reads the header.
    pub fn read(headers: &HeaderMap) -> Result<Self, AuthError> {
        let Some((scheme, credentials)) = authorization(headers) else { return Ok(Presented::Nothing) };
        let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
        let token = || match std::str::from_utf8(credentials) {
            Ok(token) if !token.is_empty() => Ok(token.to_owned()),
            _ => Err(AuthError::denied("the token is empty, or no text")),
        };
        if is("basic") {
            basic(credentials)
        } else if is("bearer") {
            token().map(Presented::Bearer)
        } else if is("jupyterhub") {
            token().map(Presented::JupyterHub)
        } else if is("negotiate") {
            let decoded = STANDARD.decode(credentials).ok().filter(|token| !token.is_empty());
            decoded.map(Presented::Negotiate).ok_or_else(|| AuthError::denied("the GSS-API token is no base64"))
        } else {
            Ok(Presented::Nothing)
        }
    }

    /// Who they say that they are, where they say it outright.
    pub fn user(&self) -> Option<&str> {
        match self {
            Presented::Basic { name, .. } => Some(name.as_str()).filter(|name| !name.is_empty()),
            _ => None,
        }
    }

    /// What may be a token: of the scheme Bearer, or a password; with the name that came with it, unless that is empty.
    pub fn token(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Presented::Bearer(token) => Some((token, None)),
            Presented::Basic { name, password } => {
                Some((password, Some(name.as_str()).filter(|name| !name.is_empty())))
            }
            Presented::JupyterHub(_) | Presented::Negotiate(_) | Presented::Nothing => None,
        }
    }
}

fn basic(credentials: &[u8]) -> Result<Presented, AuthError> {
    let decoded = STANDARD.decode(credentials).map_err(|_| AuthError::denied("Basic credentials are no base64"))?;
    let text = text(decoded);
    let (name, password) = text.split_once(':').ok_or(AuthError::denied("Basic credentials have no colon"))?;
    Ok(Presented::Basic { name: name.to_owned(), password: password.to_owned() })
}

/// Browsers send UTF-8. The official client sends latin-1, whose letters beyond ASCII are not valid UTF-8 in any likely name.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(line: &[u8]) -> Result<Presented, AuthError> {
        let headers = [(header::AUTHORIZATION, HeaderValue::from_bytes(line).unwrap())].into_iter().collect();
        Presented::read(&headers)
    }

    fn name(credentials: &[u8]) -> Option<(String, String)> {
        match read(format!("Basic {}", STANDARD.encode(credentials)).as_bytes()) {
            Ok(Presented::Basic { name, password }) => Some((name, password)),
            _ => None,
        }
    }

    #[test]
    fn names_beyond_ascii_arrive_as_latin_1_or_utf_8() {
        assert_eq!(name(b"andr\xe9:x").unwrap().0, "andré");
        assert_eq!(name("andré:x".as_bytes()).unwrap().0, "andré");
        assert_eq!(name(b"a:p\xe4ss:wort").unwrap().1, "päss:wort");
    }

    #[test]
    fn schemes_have_no_case_and_spaces_round_credentials_do_not_count() {
        assert!(matches!(read(b"  bAsIc   YWxpY2U6eA==  "), Ok(Presented::Basic { .. })));
        assert!(matches!(read(b"BEARER x"), Ok(Presented::Bearer(token)) if token == "x"));
        assert!(matches!(read(b"JupyterHub x"), Ok(Presented::JupyterHub(_))));
        assert!(matches!(read(b"negotiate YII="), Ok(Presented::Negotiate(token)) if token == [0x60, 0x82]));
    }

    #[test]
    fn what_is_malformed_is_denied_and_what_is_unknown_is_nothing() {
        for bad in
            [&b"Basic"[..], b"Basic %%%", b"Basic YWxpY2U", b"Basic YWxpY2U=", b"Bearer", b"Negotiate", b"Bearer \xff"]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        for unknown in [&b""[..], b"   ", b"Basi YWxpY2U6eA==", b"YWxpY2U6eA==", b"Digest x"] {
            assert!(matches!(read(unknown), Ok(Presented::Nothing)), "{unknown:?}");
        }
    }
}
