//! Requests, and what came back.

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faregate_headers::Peer;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A request in the making.
pub struct Call {
    router: Router,
    request: http::request::Builder,
    body: Vec<u8>,
}

impl Call {
    /// To the router itself; `path` may have a query.
    pub fn new(router: Router, method: &str, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "gateway.example:8000");
        Call { router, request, body: Vec::new() }
    }

    /// A header of any bytes.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        self.request = self.request.header(name, HeaderValue::from_bytes(value.as_ref()).expect("a header's value"));
        self
    }

    /// From this address, as the proxy says.
    pub fn from(mut self, address: &str) -> Self {
        let address = Some(address.parse().expect("an address"));
        self.request = self.request.extension(Peer { address, ..Peer::default() });
        self
    }

    /// Signs in as a user, with the password `x`.
    pub fn basic(self, user: &str) -> Self {
        self.credentials(&format!("{user}:x"))
    }

    /// Signs in with `user:password`, in latin-1 as the official client does.
    pub fn credentials(self, text: &str) -> Self {
        let latin_1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("latin-1")).collect();
        self.header("authorization", format!("Basic {}", STANDARD.encode(latin_1)))
    }

    /// With a token of the scheme Bearer.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Comes as a cluster.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", format!("token {token}"))
    }

    /// With a session's cookie.
    pub fn cookie(self, value: &str) -> Self {
        self.header("cookie", format!("other=1; faregate-session={value}"))
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Any body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        let request = self.request.body(Body::from(self.body)).expect("a request");
        let answer = self.router.oneshot(request).await.expect("a router always answers");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, which must say that it is JSON and be it.
    pub fn json(&self) -> Value {
        assert_eq!(self.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes), Some(&b"application/json"[..]));
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence of a refusal, which must be all there is in the body.
    pub fn error(&self) -> String {
        let json = self.json();
        let object = json.as_object().expect("an object");
        assert_eq!(object.keys().collect::<Vec<_>>(), ["error"], "{self:?}");
        let sentence = object["error"].as_str().expect("a sentence").to_owned();
        assert!(!sentence.is_empty());
        sentence
    }

    /// `Set-Cookie` lines that set this cookie.
    pub fn set_cookies(&self, name: &str) -> Vec<String> {
        let lines = self.headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().expect("ASCII").to_owned());
        lines.filter(|line| line.starts_with(&format!("{name}="))).collect()
    }

    /// The value of the session cookie it sets, if it sets one.
    pub fn session(&self) -> Option<String> {
        let lines = self.set_cookies("faregate-session");
        assert!(lines.len() <= 1, "{lines:?}");
        let line = lines.first()?;
        let (_, value) = line.split(';').next()?.split_once('=')?;
        Some(value.to_owned())
    }
}
