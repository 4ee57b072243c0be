//! Dashboards: pages and WebSockets of a cluster's scheduler, without the credentials of whoever looks at them.

use super::answer::{Answer, AnswerBody, Mount, Source, refuse, refuse_for_now};
use super::isolation::Entrance;
use super::paced::Paced;
use super::{Site, headers, passed_on, path};
use crate::places::Place;
use faregate_core::command::DASHBOARD_HEADER;
use faregate_core::model::ClusterName;
use http::header::{self, HeaderValue};
use http::{Request, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::upgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The one answer for a wrong key, an unknown cluster, and a path that is closed.
pub(super) fn unknown() -> Answer {
    refuse(StatusCode::NOT_FOUND, "no such dashboard: the link is wrong, or its cluster has ended")
}

/// Why a dashboard did not answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("cannot connect to the dashboard: {0}")]
    Connect(#[from] io::Error),
    #[error("the dashboard did not answer the connection in time")]
    TimedOut,
    #[error("the request to the dashboard failed: {0}")]
    Request(#[from] hyper::Error),
}

impl Site {
    /// Passes an allowed request on: `tail` is what follows the dashboard's place in the path, encoded as it was sent. The request's place
    /// goes with the answer, or with the WebSocket that it becomes.
    pub(super) async fn dashboard(
        &self,
        name: &ClusterName,
        tail: &str,
        entrance: Entrance,
        mut request: Request<Incoming>,
        place: Place,
    ) -> (Answer, Option<Place>) {
        let tail = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
        if path::reaches_api(tail.split('?').next().unwrap_or_default())
            || headers::is_service_worker(request.headers())
        {
            return (unknown(), None);
        }
        let route = match self.routes.lookup(name).await {
            Ok(route) => route.filter(|route| !route.closed),
            Err(error) => {
                tracing::error!(cluster = %name, error, "route not readable");
                let message = "it cannot be told at present where the dashboard is; try again";
                return (refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, message), None);
            }
        };
        let Some(address) = route.and_then(|route| route.dashboard) else { return (unknown(), None) };
        let Ok(uri) = tail.parse::<Uri>() else { return (unknown(), None) };
        let host = request.headers().get(header::HOST).cloned();
        let mount = Mount { entrance, host, path: mount_of(request.uri(), &tail) };
        let websocket = headers::is_websocket(request.headers());
        let browser = websocket.then(|| upgrade::on(&mut request));

        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        passed_on::pass_on(request.headers_mut(), websocket);
        // what this proxy itself says to dashboards is added here, where nothing of the sender's is left
        if let Ok(keys) = HeaderValue::try_from(self.keys.get().dashboard_keys(name)) {
            request.headers_mut().insert(DASHBOARD_HEADER, keys);
        }
        match self.ask(address, request).await {
            Ok(answer) => pass_on(answer, browser, mount, place),
            Err(error) => {
                tracing::debug!(cluster = %name, %error, "a dashboard did not answer");
                let message = format!("the dashboard of cluster `{name}` does not answer");
                (refuse(StatusCode::BAD_GATEWAY, &message), None)
            }
        }
    }

    async fn ask(
        &self,
        address: SocketAddr,
        request: Request<Incoming>,
    ) -> Result<http::Response<Incoming>, Unanswered> {
        // as slow as it likes in all: no place at the gateway is held by it
        let request = request.map(|body| Paced::new(body, Duration::MAX));
        let stream = timeout(self.connect, TcpStream::connect(address)).await.map_err(|_| Unanswered::TimedOut)??;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to a dashboard broke");
            }
        });
        Ok(sender.send_request(request).await?)
    }
}

/// Where the dashboard's own `/` is for the browser: all of the path before `tail`.
fn mount_of(uri: &Uri, tail: &str) -> String {
    let whole = uri.path_and_query().map_or("", |target| target.as_str());
    whole.strip_suffix(tail).or_else(|| whole.strip_suffix(&tail[1..])).unwrap_or(whole).to_owned()
}

/// Passes an answer on. A granted WebSocket is joined to the browser's, byte for byte, for as long as both last.
fn pass_on(
    mut answer: http::Response<Incoming>,
    browser: Option<upgrade::OnUpgrade>,
    mount: Mount,
    place: Place,
) -> (Answer, Option<Place>) {
    let mut place = Some(place);
    let switched = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switched {
        let Some(browser) = browser.filter(|_| headers::is_websocket(answer.headers())) else {
            let message = "the dashboard switched to a protocol nobody asked for";
            return (refuse(StatusCode::BAD_GATEWAY, message), None);
        };
        let dashboard = upgrade::on(&mut answer);
        let held = place.take();
        tokio::spawn(async move {
            let _held = held;
            let (browser, dashboard) = match tokio::try_join!(browser, dashboard) {
                Ok(both) => both,
                Err(error) => return tracing::debug!(%error, "a WebSocket was not joined"),
            };
            let (mut browser, mut dashboard) = (TokioIo::new(browser), TokioIo::new(dashboard));
            if let Err(error) = copy_bidirectional(&mut browser, &mut dashboard).await {
                tracing::debug!(%error, "a WebSocket broke");
            }
        });
    }
    let (mut head, body) = answer.into_parts();
    headers::remove_hop_by_hop(&mut head.headers);
    let response = http::Response::from_parts(head, AnswerBody::Dashboard(body));
    (Answer { response, source: Source::Dashboard(mount) }, place)
}
