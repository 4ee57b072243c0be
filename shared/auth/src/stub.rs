//! A web server for tests: answers as it is told, and remembers what it was asked.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

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
        let serving = tokio::spawn(serve(listener, inner.clone()));
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

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    // dropped with this, they end with it
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let inner = inner.clone();
        let service = service_fn(move |request| answer(inner.clone(), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let shown = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    inner.asked.lock().unwrap().push((path.clone(), shown));
    let reply = inner.replies.lock().unwrap().get(&path).cloned();
    let response = Response::builder();
    let response = match reply {
        Some(Reply::Json(value)) => response.body(value.to_string().into()),
        Some(Reply::Text(status, text)) => response.status(status).body(text.into()),
        Some(Reply::Redirect(to)) => {
            response.status(StatusCode::FOUND).header(header::LOCATION, to).body(Full::default())
        }
        Some(Reply::Bytes(length)) => response.body(vec![b' '; length].into()),
        Some(Reply::Silence) => std::future::pending().await,
        None => response.status(StatusCode::NOT_FOUND).body(Full::default()),
    };
    Ok(response.unwrap())
}
