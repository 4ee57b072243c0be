//! The way to identity providers: one small HTTP client.

use bytes::Bytes;
use faregate_core::chain;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use std::sync::OnceLock;
use std::time::Duration;

/// The largest answer that is read, in bytes.
pub const LARGEST_ANSWER: usize = 1 << 20;
/// Redirects that are followed, as many as aiohttp does, by which the official server asks (`ClientSession.request`, `max_redirects`).
const MOST_REDIRECTS: usize = 10;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Asks by `GET`, over HTTPS with the machine's own certificates, or over HTTP. It keeps no connections: it is seldom asked.
#[derive(Default)]
pub struct Web {
    /// Made for the first question: reading the machine's certificates takes longer than answering most requests.
    client: OnceLock<Result<HttpsClient, String>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// Where a redirect leads, as it was sent.
    pub location: Option<String>,
}

/// Nothing came back, or nothing that is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// There is no client.
    #[error("the certificates of this machine cannot be read: {0}")]
    Certificates(String),
    /// There is nobody, or they broke off.
    #[error("{0}")]
    Broken(String),
    /// Not in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// More than is read.
    #[error("an answer of more than {LARGEST_ANSWER} bytes")]
    Large,
    /// A redirect to where credentials are not sent.
    #[error("a redirect to `{0}`, which is another origin: the configured address must be the one that answers")]
    Elsewhere(String),
    /// One redirect after the other.
    #[error("more than {MOST_REDIRECTS} redirects")]
    Redirects,
}

impl Web {
    /// `GET`, following redirects within the origin of `url`; there are `timeout` for all of it. What is in `headers`, credentials
    /// say, is never sent to another origin.
    pub async fn get_following(&self, url: &Uri, headers: &HeaderMap, timeout: Duration) -> Result<Answer, NoAnswer> {
        let all = async {
            let mut at = url.clone();
            for _ in 0..=MOST_REDIRECTS {
                let answer = self.get(&at, headers, timeout).await?;
                let location = answer.location.as_deref().filter(|_| redirects(answer.status));
                let Some(location) = location else { return Ok(answer) };
                let elsewhere = || NoAnswer::Elsewhere(shorten(location));
                at = resolve(&at, location).filter(|next| origin(next) == origin(url)).ok_or_else(elsewhere)?;
            }
            Err(NoAnswer::Redirects)
        };
        tokio::time::timeout(timeout, all).await.unwrap_or(Err(NoAnswer::Late(timeout)))
    }

    /// `GET`; there are `timeout` from connecting to the last byte. An answer is one whatever its status; no redirect is followed.
    pub async fn get(&self, url: &Uri, headers: &HeaderMap, timeout: Duration) -> Result<Answer, NoAnswer> {
        let client = self.client.get_or_init(client).as_ref();
        let client = client.map_err(|error| NoAnswer::Certificates(error.clone()))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers.clone();
        let exchange = async {
            let response = client.request(request).await.map_err(|error| NoAnswer::Broken(chain(&error)))?;
            let status = response.status();
            let location = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| match error.is::<hyper::Error>() {
                true => NoAnswer::Broken(chain(&*error)),
                false => NoAnswer::Large,
            })?;
            Ok(Answer { status, body: body.to_bytes(), location })
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(NoAnswer::Late(timeout)))
    }
}

fn client() -> Result<HttpsClient, String> {
    let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(default_provider());
    let connector = connector.map_err(|error| error.to_string())?.https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

/// An address that [`Web`] can ask; else what is wrong with it.
pub fn address(text: &str) -> Result<Uri, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is no address")?;
    match uri.scheme_str() {
        Some("https" | "http") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        _ => Err("must begin with `https://` (or `http://`) and a host"),
    }
}

fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Scheme, host and port (RFC 6454).
fn origin(url: &Uri) -> Option<(String, String, u16)> {
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let port = url.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, url.host()?.to_ascii_lowercase(), port))
}

/// What `location` means at `base` (RFC 3986, 5.2): a whole address, one without its scheme, a path, or the end of one.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default().trim();
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let whole = match location {
        "" => return Some(base.clone()),
        at if at.starts_with("//") => format!("{scheme}:{at}"),
        at if at.starts_with('/') => format!("{scheme}://{authority}{at}"),
        at if at.starts_with('?') => format!("{scheme}://{authority}{}{at}", base.path()),
        // before any slash, a colon ends a scheme
        at if at.split('/').next().is_some_and(|first| first.contains(':')) => at.to_owned(),
        at => {
            let folder = base.path().rfind('/').map_or("/", |end| &base.path()[..=end]);
            format!("{scheme}://{authority}{folder}{at}")
        }
    };
    whole.parse().ok()
}

fn shorten(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_where_it_was_sent() {
        let base: Uri = "http://Hub.example:8000/api/user".parse().unwrap();
        for (location, expected) in [
            ("/hub/api/user", "http://Hub.example:8000/hub/api/user"),
            ("/hub/api/user?x=1#y", "http://Hub.example:8000/hub/api/user?x=1"),
            ("users", "http://Hub.example:8000/api/users"),
            ("?x=1", "http://Hub.example:8000/api/user?x=1"),
            ("//other.example/x", "http://other.example/x"),
            ("https://other.example/x", "https://other.example/x"),
            ("", "http://Hub.example:8000/api/user"),
            ("mailto:x", "mailto:x"),
        ] {
            assert_eq!(resolve(&base, location), Some(expected.parse().unwrap()), "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |url: &str| origin(&url.parse().unwrap());
        assert_eq!(of("http://hub.example/a"), of("http://HUB.example:80/b"));
        for other in ["https://hub.example/a", "http://hub.example:8080/a", "http://hub.example.evil/a"] {
            assert_ne!(of("http://hub.example/a"), of(other), "{other}");
        }
    }
}
