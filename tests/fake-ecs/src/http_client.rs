//! A small HTTP client: plain requests to the emulators beside this one.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    region: String,
}

impl HttpClient {
    /// A client that says it is of this region.
    pub fn new(region: &str) -> HttpClient {
        HttpClient { client: Client::builder(TokioExecutor::new()).build_http(), region: region.to_owned() }
    }

    /// GET.
    pub async fn get(&self, url: &str) -> Result<(StatusCode, Bytes), String> {
        let request = Request::get(url).body(Full::default());
        self.send(request.map_err(|error| format!("GET {url}: {error}"))?)
            .await
            .map_err(|error| format!("GET {url}: {error}"))
    }

    /// A call in AWS JSON 1.1. Not signed: emulators read the region from the header and check nothing.
    pub async fn call(
        &self,
        url: &str,
        service: &str,
        target: &str,
        body: &Value,
    ) -> Result<(StatusCode, Bytes), String> {
        let credential = format!("test/20200101/{}/{service}/aws4_request", self.region);
        let request = Request::post(url)
            .header("content-type", crate::wire::CONTENT_TYPE)
            .header("x-amz-target", target)
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
            )
            .body(Full::from(body.to_string()));
        let fault = |error: String| format!("{target} at {url}: {error}");
        self.send(request.map_err(|error| fault(error.to_string()))?).await.map_err(fault)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let answer = async {
            let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok((status, body))
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    }
}
