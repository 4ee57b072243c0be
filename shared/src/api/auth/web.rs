//! The way to identity providers: one small HTTP client.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

/// The largest answer that is read, in bytes.
pub const LARGEST_ANSWER: usize = 1 << 20;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Asks by `GET`, over HTTPS with the machine's own certificates, or over HTTP. It follows no redirects, and keeps no connections:
/// it is seldom asked.
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
}

impl Web {
    /// `GET`; there are `timeout` from connecting to the last byte. An answer is one whatever its status.
    pub async fn get(&self, url: &Uri, headers: &HeaderMap, timeout: Duration) -> Result<Answer, NoAnswer> {
        let client = self.client.get_or_init(client).as_ref();
        let client = client.map_err(|error| NoAnswer::Certificates(error.clone()))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers.clone();
        let exchange = async {
            let response = client.request(request).await.map_err(|error| NoAnswer::Broken(with_causes(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| match error.is::<hyper::Error>() {
                true => NoAnswer::Broken(with_causes(&*error)),
                false => NoAnswer::Large,
            })?;
            Ok(Answer { status, body: body.to_bytes() })
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

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
