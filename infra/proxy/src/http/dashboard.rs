//! Dashboards: pages and WebSockets of a cluster's scheduler, without the credentials of whoever looks at them.

use super::answer::{Answer, AnswerBody, refuse};
use super::isolation::{Entrance, isolate};
use super::{Site, headers, path};
use faregate::dask::DASHBOARD_HEADER;
use faregate::model::ClusterName;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::upgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
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
    /// Passes an allowed request on: `tail` is what follows the dashboard's place in the path, encoded as it was sent.
    pub(super) async fn dashboard(
        &self,
        name: &ClusterName,
        tail: &str,
        entrance: Entrance,
        mut request: Request<Incoming>,
    ) -> Answer {
        let tail = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
        if path::reaches_api(tail.split('?').next().unwrap_or_default())
            || headers::is_service_worker(request.headers())
        {
            return unknown();
        }
        let route = self.routes.lookup(name).await.filter(|route| !route.closed);
        let Some(address) = route.and_then(|route| route.dashboard) else { return unknown() };
        let Ok(uri) = tail.parse::<Uri>() else { return unknown() };
        let mount = mount_of(request.uri(), &tail);
        let host = request.headers().get(header::HOST).cloned();
        let websocket = headers::is_websocket(request.headers());
        let browser = websocket.then(|| upgrade::on(&mut request));

        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        strip_request(request.headers_mut(), websocket);
        // in place of what the client may have sent
        match HeaderValue::try_from(self.keys.get().dashboard_keys(name)) {
            Ok(keys) => request.headers_mut().insert(DASHBOARD_HEADER, keys),
            Err(_) => return unknown(),
        };
        match self.ask(address, request).await {
            Ok(answer) => {
                let mut answer = pass_on(answer, browser);
                isolate(answer.headers_mut(), entrance, host.as_ref(), &mount);
                if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                    headers::set_websocket(answer.headers_mut());
                }
                answer
            }
            Err(error) => {
                tracing::debug!(cluster = %name, %error, "a dashboard did not answer");
                refuse(StatusCode::BAD_GATEWAY, &format!("the dashboard of cluster `{name}` does not answer"))
            }
        }
    }

    async fn ask(
        &self,
        address: SocketAddr,
        request: Request<Incoming>,
    ) -> Result<http::Response<Incoming>, Unanswered> {
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

fn strip_request(all: &mut HeaderMap, websocket: bool) {
    headers::remove_hop_by_hop(all);
    for name in [header::COOKIE, header::AUTHORIZATION, header::EXPECT] {
        all.remove(name);
    }
    if websocket {
        headers::set_websocket(all);
    }
}

/// Passes an answer on. A granted WebSocket is joined to the browser's, byte for byte, for as long as both last.
fn pass_on(mut answer: http::Response<Incoming>, browser: Option<upgrade::OnUpgrade>) -> Answer {
    let switched = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switched {
        let Some(browser) = browser.filter(|_| headers::is_websocket(answer.headers())) else {
            return refuse(StatusCode::BAD_GATEWAY, "the dashboard switched to a protocol nobody asked for");
        };
        let dashboard = upgrade::on(&mut answer);
        tokio::spawn(async move {
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
    Answer::from_parts(head, AnswerBody::Dashboard(body))
}
