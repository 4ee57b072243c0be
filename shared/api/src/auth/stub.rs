//! A web server for tests: answers as it is told, and remembers what it was asked.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it answers.
#[derive(Clone)]
pub enum Reply {
    /// 200.
    Json(Value),
    /// Any status, any text.
    Text(u16, String),
    /// 302.
    Redirect(String),
    /// So many bytes.
    Bytes(usize),
    /// Nothing, ever.
    Silence,
}

/// A server on loopback. Dropped, nobody is there.
pub struct Stub {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Inner {
    replies: Mutex<HashMap<String, Reply>>,
    asked: Mutex<Vec<(String, Option<String>)>>,
}

impl Stub {
    pub async fn start() -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::<Inner>::default();
        let app = Router::new().fallback(answer).with_state(inner.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Stub { url, inner, serving }
    }

    /// From now on nobody answers, and whoever waits is told so.
    pub fn close(&self) {
        self.serving.abort();
    }

    /// From now on, at this path.
    pub fn says(&self, path: &str, reply: Reply) {
        self.inner.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// How often it was asked for this path.
    pub fn asked(&self, path: &str) -> usize {
        self.inner.asked.lock().unwrap().iter().filter(|(asked, _)| asked == path).count()
    }

    /// With which `Authorization` it was last asked for this path.
    pub fn shown(&self, path: &str) -> Option<String> {
        self.inner.asked.lock().unwrap().iter().rev().find(|(asked, _)| asked == path)?.1.clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An address where nobody is.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn answer(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap) -> Response {
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    inner.asked.lock().unwrap().push((uri.path().to_owned(), shown));
    let reply = inner.replies.lock().unwrap().get(uri.path()).cloned();
    match reply {
        Some(Reply::Json(value)) => value.to_string().into_response(),
        Some(Reply::Text(status, text)) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Some(Reply::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Reply::Bytes(length)) => vec![b' '; length].into_response(),
        Some(Reply::Silence) => std::future::pending().await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
