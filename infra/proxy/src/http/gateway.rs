//! The way to the gateway: HTTP over a Unix socket, on connections that are kept.

use super::answer::{Answer, AnswerBody, refuse, refuse_for_now};
use super::body::{NotTaken, Outgoing};
use super::headers;
use super::paced::{BodyError, LEAST_RATE};
use crate::GATEWAY_SECRET;
use crate::config::{Scheme, Timeouts};
use crate::places::{Budget, Full, Kind, Place, Places};
use crate::sparse::Sparse;
use crate::trust::Origin;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, request};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// Connections kept, and for how long: shorter than any server keeps its side.
const KEEP: usize = 64;
const KEEP_FOR: Duration = Duration::from_secs(15);

type Sender = SendRequest<Outgoing>;

/// The gateway's API, and the idle connections to it, oldest first.
pub(super) struct Gateway {
    socket: PathBuf,
    /// Its file, and what was in it when we connected last.
    secret: Option<PathBuf>,
    known_secret: Mutex<Option<HeaderValue>>,
    wait: Duration,
    body_time: Duration,
    budget: Budget,
    places: Arc<Places>,
    idle: Mutex<VecDeque<(Instant, Sender)>>,
}

/// A connection in use. Dropped, it closes.
pub(super) struct Lease {
    gateway: Arc<Gateway>,
    sender: Sender,
}

impl Lease {
    /// The answer was read to its end: the connection is free.
    pub(super) fn give_back(self) {
        let mut idle = self.gateway.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEEP {
            idle.push_back((Instant::now(), self.sender));
        }
    }
}

/// The gateway could not be asked, or went away before it answered.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("cannot connect to the gateway")]
    Connect(#[source] io::Error),
    #[error("the connection to the gateway failed")]
    Request(#[source] hyper::Error),
}

impl Gateway {
    pub(super) fn new(
        socket: PathBuf,
        secret: Option<PathBuf>,
        timeouts: &Timeouts,
        budget: Budget,
        places: Arc<Places>,
    ) -> Self {
        let (wait, body_time) = (Duration::from_millis(timeouts.gateway_wait_ms), timeouts.body());
        let known_secret = Mutex::default();
        Gateway { socket, secret, known_secret, wait, body_time, budget, places, idle: Mutex::default() }
    }

    /// Shows the gateway that the request is its proxy's; a client's own header of that name never gets through.
    fn sign(&self, request: &mut Request<Outgoing>) {
        let known = self.known_secret.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(secret) => request.headers_mut().insert(GATEWAY_SECRET, secret),
            None => request.headers_mut().remove(GATEWAY_SECRET),
        };
    }

    fn read_secret(&self) -> io::Result<()> {
        let Some(path) = &self.secret else { return Ok(()) };
        let mut secret = HeaderValue::from_bytes(std::fs::read(path)?.trim_ascii()).map_err(io::Error::other)?;
        secret.set_sensitive(true);
        *self.known_secret.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret);
        Ok(())
    }

    /// Passes a request on, its path as it was sent, and the answer back; with the place that it holds until that is at its end.
    pub(super) async fn forward(
        self: &Arc<Self>,
        request: Request<Incoming>,
        kind: Kind,
        origin: &Origin,
    ) -> (Answer, Option<Place>) {
        let (mut head, body) = request.into_parts();
        headers::remove_hop_by_hop(&mut head.headers);
        // Answered by our own server when the body is read.
        head.headers.remove(header::EXPECT);
        let scheme = if origin.scheme == Scheme::Https { "https" } else { "http" };
        head.headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static(scheme));
        origin.peer.write(&mut head.headers);
        head.version = Version::HTTP_11;
        to_origin_form(&mut head);
        let body = match Outgoing::take(body, self.body_time, &self.budget).await {
            Ok(body) => body,
            Err(not_taken) => return (refuse_body(&not_taken), None),
        };
        // what is not here yet may take its time: it does so apart from what is
        let kind = if kind == Kind::Api && !body.is_whole() { Kind::Upload } else { kind };
        let place = match self.places.take(kind, origin.sharer, self.wait).await {
            Ok(place) => place,
            Err(full) => return (refuse_full(full, origin), None),
        };
        let late = body.late();
        let answer = match self.send(Request::from_parts(head, body)).await {
            Ok(answer) => answer,
            Err(_) if late.is_so() => refuse_body(&NotTaken::Body(BodyError::Slow)),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::debug!(%error, source, "a request was not answered");
                refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, "the gateway is restarting; try again")
            }
        };
        (answer, Some(place))
    }

    /// Tries again while the gateway is away, as long as it cannot have seen the request, or seeing it twice does
    /// no harm.
    async fn send(self: &Arc<Self>, mut request: Request<Outgoing>) -> Result<Answer, Away> {
        let deadline = Instant::now() + self.wait;
        loop {
            let copy = repeatable(&request);
            let mut sender = match self.kept().await {
                Some(sender) => sender,
                None => self.connect(deadline).await?,
            };
            self.sign(&mut request);
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    let (mut head, body) = answer.into_parts();
                    headers::remove_hop_by_hop(&mut head.headers);
                    let lease = Lease { gateway: self.clone(), sender };
                    let body = if body.is_end_stream() {
                        lease.give_back();
                        AnswerBody::Gateway(body, None)
                    } else {
                        AnswerBody::Gateway(body, Some(lease))
                    };
                    return Ok(Answer::ours(Response::from_parts(head, body)));
                }
                Err(mut failed) => match failed.take_message().or(copy) {
                    Some(again) if Instant::now() < deadline => request = again,
                    _ => return Err(Away::Request(failed.into_error())),
                },
            }
        }
    }

    /// A kept connection that still works, the youngest first.
    async fn kept(&self) -> Option<Sender> {
        loop {
            let (since, mut sender) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_back()?;
            if since.elapsed() > KEEP_FOR {
                // So are all others.
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return None;
            }
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn connect(&self, deadline: Instant) -> Result<Sender, Away> {
        let stream = connect_unix(&self.socket, deadline).await.map_err(Away::Connect)?;
        self.read_secret().map_err(Away::Connect)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(Away::Request)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the gateway broke");
            }
        });
        Ok(sender)
    }
}

/// What a body gets that was not taken in. The connection ends: the rest of the body would be in the way.
fn refuse_body(not_taken: &NotTaken) -> Answer {
    let answer = match not_taken {
        NotTaken::Body(BodyError::Slow) => {
            tracing::info!("request refused: its body came too slowly");
            let message = format!("the body of the request came too slowly: send at least {LEAST_RATE} bytes a second");
            refuse(StatusCode::REQUEST_TIMEOUT, &message)
        }
        NotTaken::Body(BodyError::Broken(_)) => refuse(StatusCode::BAD_REQUEST, "the body of the request broke off"),
        NotTaken::NoRoom => {
            static REFUSED: Sparse = Sparse::new();
            if let Some(refused) = REFUSED.one() {
                tracing::warn!(refused, "request refused: too many requests are incomplete at once");
            }
            refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, "too many requests are incomplete at once; try again")
        }
    };
    answer.with(header::CONNECTION, HeaderValue::from_static("close"))
}

fn refuse_full(full: Full, origin: &Origin) -> Answer {
    full.log(origin);
    match full {
        Full::Yours => {
            refuse_for_now(StatusCode::TOO_MANY_REQUESTS, "too many of your requests are under way at once; try again")
        }
        Full::All => {
            refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, "too many requests are under way at once; try again")
        }
    }
}

/// Until `deadline` a gateway that is not there may come back.
async fn connect_unix(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)).await,
            result => return result,
        }
    }
}

/// Of a request for a whole URL the address becomes the `Host` (RFC 9112, section 3.2.2), and the path remains.
fn to_origin_form(head: &mut request::Parts) {
    if let Some(host) = head.uri.authority().and_then(|authority| authority.as_str().parse().ok()) {
        head.headers.insert(header::HOST, host);
        head.uri = head.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    }
}

/// The same request once more, when it has no body and repeating it changes nothing.
fn repeatable(request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
    let harmless = [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE].contains(request.method());
    if !harmless || !request.body().is_empty() {
        return None;
    }
    let mut copy = Request::new(Outgoing::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
