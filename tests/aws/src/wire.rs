//! What stands between the code under test and an emulator: it passes calls on, writes each down, and does what a network does to them.

mod call;
mod faults;

pub use call::Call;
pub use faults::Faults;

use bytes::Bytes;
use faults::Fate;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A wire to one emulator. Cut when it is dropped.
pub struct Wire {
    /// Where to call.
    pub url: String,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

struct Inner {
    upstream: String,
    client: Client<HttpConnector, Full<Bytes>>,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<Faults>,
    /// The last answers of eventually consistent reads, by request.
    old_answers: Mutex<HashMap<Bytes, (Bytes, http::HeaderMap)>>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Wire {
    /// Listens at a free port of loopback and passes on to `upstream` (`http://host:port`).
    pub async fn start(upstream: &str) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            calls: Mutex::default(),
            faults: Mutex::default(),
            old_answers: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, inner.clone()));
        Wire { url, inner, serving }
    }

    /// From now on this happens to calls.
    pub fn set(&self, faults: Faults) {
        *self.inner.faults.lock().unwrap() = faults;
    }

    /// Every call since the start, or since they were last [taken](Wire::take).
    pub fn calls(&self) -> Vec<Call> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// The calls so far, and forgets them.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.inner.calls.lock().unwrap())
    }
}

/// How many calls there are of each action.
pub fn counted(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.action.clone()).or_default() += 1;
    }
    counts
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let inner = inner.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let inner = inner.clone();
                async move { inner.pass(request).await }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

impl Inner {
    /// An error closes the connection: that is how a reply is lost.
    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let call = Call::read(&head, &body);
        let fate = self.faults.lock().unwrap().decide(&call);
        self.calls.lock().unwrap().push(call.clone());
        if let Fate::Taken(times, delay) = fate {
            return self.take_message(head, body, times, delay);
        }
        let forward = {
            let inner = self.clone();
            let body = body.clone();
            async move { inner.forward(head, body).await }
        };
        match fate {
            Fate::Passed => {
                let answer = forward.await?;
                if call.is_eventually_consistent() {
                    let kept = (answer.body().clone(), answer.headers().clone());
                    let kept = into_bytes(kept).await;
                    self.old_answers.lock().unwrap().insert(body, kept);
                }
                Ok(answer)
            }
            Fate::Stale => {
                let old = self.old_answers.lock().unwrap().get(&body).cloned();
                let Some((body, headers)) = old else { return forward.await };
                let mut answer = Response::new(Full::new(body));
                *answer.headers_mut() = headers;
                Ok(answer)
            }
            Fate::Refused(error) => {
                let answer = Response::builder().status(StatusCode::BAD_REQUEST);
                let answer = answer.header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
                answer.body(Full::new(Bytes::from(error))).map_err(io::Error::other)
            }
            Fate::Unheard => {
                let _ = forward.await;
                Err(io::Error::other("the reply is lost"))
            }
            Fate::Taken(..) => forward.await,
            Fate::Late(delay) => {
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = forward.await;
                });
                Err(io::Error::other("the caller is gone"))
            }
        }
    }

    /// SQS's answer at once; the message later, as often as it is to be delivered.
    fn take_message(
        self: Arc<Self>,
        head: http::request::Parts,
        body: Bytes,
        times: u32,
        delay: Duration,
    ) -> io::Result<Response<Full<Bytes>>> {
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            for _ in 0..times {
                let _ = self.forward(head.clone(), body.clone()).await;
            }
        });
        let answer = r#"{"MessageId": "00000000-0000-0000-0000-000000000000", "MD5OfMessageBody": ""}"#;
        let head = Response::builder().header(header::CONTENT_TYPE, "application/x-amz-json-1.0");
        head.body(Full::new(Bytes::from(answer))).map_err(io::Error::other)
    }

    async fn forward(&self, head: http::request::Parts, body: Bytes) -> io::Result<Response<Full<Bytes>>> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(head.method).uri(format!("{}{path}", self.upstream));
        for (name, value) in &head.headers {
            if name != header::CONNECTION && name != header::TRANSFER_ENCODING {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(body)).map_err(io::Error::other)?;
        let sent = tokio::time::timeout(Duration::from_secs(60), self.client.request(request)).await;
        let (head, body) = sent.map_err(io::Error::other)?.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let mut answer = Response::builder().status(head.status);
        for (name, value) in &head.headers {
            if name != header::CONNECTION && name != header::TRANSFER_ENCODING && name != header::CONTENT_LENGTH {
                answer = answer.header(name, value);
            }
        }
        answer.body(Full::new(body)).map_err(io::Error::other)
    }
}

async fn into_bytes((body, headers): (Full<Bytes>, http::HeaderMap)) -> (Bytes, http::HeaderMap) {
    // a full body cannot fail
    (body.collect().await.map(|b| b.to_bytes()).unwrap_or_default(), headers)
}
