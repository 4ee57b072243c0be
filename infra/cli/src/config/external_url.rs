//! Where browsers and clients find the gateway.

use faregate_proxy::Scheme;
use std::fmt;

/// `https://gateway.example.org/services/gateway`: of a path, the prefix and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUrl {
    /// How it begins.
    pub scheme: Scheme,
    /// The host, without a port.
    pub host: String,
    /// Host and port, as they were written.
    authority: String,
    /// What follows, without a slash at the end.
    pub path: String,
}

impl ExternalUrl {
    /// Reads one. The error says what it must be.
    pub fn parse(text: &str) -> Result<ExternalUrl, String> {
        let wrong = || format!("must be an address such as https://gateway.example.org, not `{text}`");
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            _ => return Err(wrong()),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = match authority.rfind(':') {
            Some(at) if !authority.ends_with(']') => {
                authority[at + 1..].parse::<u16>().map_err(|_| wrong())?;
                &authority[..at]
            }
            _ => authority,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if host.is_empty() || !host.chars().all(plain) || path.contains(['?', '#']) {
            return Err(wrong());
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(ExternalUrl { scheme, host: host.to_ascii_lowercase(), authority: authority.to_owned(), path })
    }
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.scheme == Scheme::Https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, scheme, host, path) in [
            ("https://gateway.example.org", Scheme::Https, "gateway.example.org", ""),
            ("http://Gateway:8000/", Scheme::Http, "gateway", ""),
            ("https://[::1]:8000/a/b", Scheme::Https, "[::1]", "/a/b"),
            ("https://[::1]", Scheme::Https, "[::1]", ""),
        ] {
            let url = ExternalUrl::parse(text).unwrap();
            assert_eq!((url.scheme, url.host.as_str(), url.path.as_str()), (scheme, host, path), "{text}");
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
        for wrong in ["", "gateway.example.org", "ftp://a", "https://", "https://a b", "https://a:x", "https://a/?b"] {
            assert!(ExternalUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
