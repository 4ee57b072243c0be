//! What stands where API Gateway's own address stands: a server that passes requests on to the emulator's HTTP API by its host name,
//! which need not resolve, and does what API Gateway does and the emulator does not.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Request line and headers together ("Quotas for configuring and running an HTTP API in API Gateway": 10,240 bytes).
const HEADERS_LIMIT: usize = 10_240;
/// An invocation's payload ("Lambda quotas": 6 MB, synchronous).
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// The door. Closed when it is dropped.
pub struct FrontDoor {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

struct Inner {
    client: Client<HttpConnector, Full<Bytes>>,
    /// The emulator, and the name under which it has the API.
    target: Mutex<Option<(String, String)>>,
    counts: Mutex<BTreeMap<String, u64>>,
    cut_off: AtomicBool,
}

impl FrontDoor {
    /// Listens at a free port. Until it [leads](FrontDoor::lead_to) somewhere, the answer is 503.
    pub fn start() -> FrontDoor {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).thread_name("front-door").enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).unwrap()
        };
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            client: Client::builder(TokioExecutor::new()).build_http(),
            target: Mutex::default(),
            counts: Mutex::default(),
            cut_off: AtomicBool::new(false),
        });
        runtime.spawn(serve(listener, inner.clone()));
        FrontDoor { url, inner, runtime: Some(runtime) }
    }

    /// From now on it leads to this API of the emulator at this port.
    pub fn lead_to(&self, port: u16, api_id: &str) {
        let target = (format!("http://127.0.0.1:{port}"), format!("{api_id}.execute-api.localhost:{port}"));
        *self.inner.target.lock().unwrap() = Some(target);
    }

    /// Cuts it off (every connection is closed without an answer), or opens it again.
    pub fn cut_off(&self, cut_off: bool) {
        self.inner.cut_off.store(cut_off, Ordering::SeqCst);
    }

    /// How many requests came, by method and path.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.inner.counts.lock().unwrap().clone()
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else { continue };
        let inner = inner.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| pass(inner.clone(), peer, request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// An error closes the connection.
async fn pass(inner: Arc<Inner>, peer: SocketAddr, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    if inner.cut_off.load(Ordering::SeqCst) {
        return Err(io::Error::other("cut off"));
    }
    let (head, body) = request.into_parts();
    *inner.counts.lock().unwrap().entry(format!("{} {}", head.method, head.uri.path())).or_default() += 1;
    if size(&head) > HEADERS_LIMIT {
        return refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
    }
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let target = inner.target.lock().unwrap().clone();
    let Some((url, host)) = target else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(&head.method).uri(format!("{url}{path}"));
    if let Some(headers) = request.headers_mut() {
        *headers = end_to_end(head.headers.clone());
        headers.insert(header::HOST, text(&host));
        headers.insert("x-forwarded-for", text(&peer.ip().to_string()));
        headers.insert("x-forwarded-proto", text("http"));
    }
    let request = request.body(Full::new(body.to_bytes())).map_err(io::Error::other)?;
    let (head, body) = inner.client.request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = end_to_end(head.headers);
    Ok(response)
}

fn size(head: &http::request::Parts) -> usize {
    let line = head.method.as_str().len() + head.uri.to_string().len() + " HTTP/1.1  ".len();
    // a colon, a space and a line's end each
    line + head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}

/// Without what concerns one connection alone.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap()
}

fn refuse(status: StatusCode, message: &str) -> io::Result<Response<Full<Bytes>>> {
    let body = Full::new(Bytes::from(format!("{{\"message\":\"{message}\"}}")));
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    answer.body(body).map_err(io::Error::other)
}
