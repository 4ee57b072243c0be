//! A gateway that tells what it was asked.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

/// Answers every request with `{"method", "path", "headers", "received"}`; dies when dropped.
pub struct Gateway {
    pub connections: Arc<AtomicUsize>,
    pub requests: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Gateway {
    pub fn start(socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (connections.clone(), requests.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Dropped with this task: a gateway that dies takes its connections along.
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counts.0.fetch_add(1, Ordering::SeqCst);
                let requests = counts.1.clone();
                let service = service_fn(move |request| {
                    requests.fetch_add(1, Ordering::SeqCst);
                    answer(request)
                });
                open.spawn(async move {
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Gateway { connections, requests, _tasks: tasks }
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let headers: Value = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let received = body.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
    let told = json!({
        "method": head.method.as_str(), "path": head.uri.to_string(), "headers": headers, "received": received,
    });
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("set-cookie", "session=1; Path=/")
        .header("www-authenticate", "Negotiate abc")
        .header("connection", "x-private")
        .header("x-private", "1");
    Ok(response.body(Full::from(told.to_string())).unwrap())
}
