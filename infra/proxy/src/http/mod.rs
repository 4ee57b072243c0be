//! HTTP: which requests are a dashboard's, which are the gateway's, and which are nobody's.

mod answer;
mod dashboard;
mod entry;
mod gateway;
mod headers;
mod isolation;
mod path;
mod ring;
mod sign_in;

use crate::config::{Api, ConfigError, ProxyConfig};
use crate::once::{Once, Outside};
use crate::routes::RouteSource;
use answer::{Answer, refuse};
use entry::Entry;
use faregate::machine::now;
use gateway::Gateway;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use isolation::Entrance;
use path::ClusterPath;
use ring::Ring;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How a request reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Plain HTTP at the public port of a gateway without a certificate.
    Http,
    /// HTTPS.
    Https,
    /// Plain HTTP at the public port of a gateway that has a certificate.
    PlainBesideHttps,
    /// Plain HTTP from a scheduler.
    Internal,
}

/// Everything that is served over HTTP.
pub(crate) struct Site {
    prefix: String,
    sign_in: bool,
    keep_alive: Duration,
    connect: Duration,
    keys: Ring,
    routes: Arc<dyn RouteSource>,
    once: Arc<dyn Once>,
    /// None where the API is elsewhere.
    gateway: Option<Arc<Gateway>>,
    /// Where people sign in, before the path; empty where the API is behind us.
    sign_in_at: String,
    /// Somebody before us ends HTTPS.
    https: bool,
}

impl Site {
    pub(crate) fn open(config: ProxyConfig, outside: Outside) -> Result<Self, ConfigError> {
        let prefix = config.prefix;
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            return Err(ConfigError::Prefix(prefix));
        }
        let gateway_wait = Duration::from_millis(config.timeouts.gateway_wait_ms);
        let (gateway, sign_in_at, https) = match config.api {
            Api::Unix(socket) => (Some(Arc::new(Gateway::new(socket, gateway_wait))), prefix.clone(), false),
            Api::Elsewhere { url: None, .. } if config.sign_in => return Err(ConfigError::SignIn),
            Api::Elsewhere { url, https } => (None, url.unwrap_or_default(), https),
        };
        Ok(Site {
            prefix,
            sign_in: config.sign_in,
            keep_alive: Duration::from_millis(config.timeouts.keep_alive_ms),
            connect: config.timeouts.connect(),
            keys: Ring::open(config.keys)?,
            routes: outside.routes,
            once: outside.once,
            gateway,
            sign_in_at,
            https,
        })
    }

    /// Answers one request.
    async fn answer(&self, request: Request<Incoming>, channel: Channel) -> Answer {
        if channel == Channel::PlainBesideHttps {
            return refuse(
                StatusCode::BAD_REQUEST,
                "this port speaks HTTPS: use an address that starts with `https://`",
            );
        }
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let Some(path) = path::below(&self.prefix, target) else {
            return refuse(StatusCode::NOT_FOUND, &format!("nothing is served outside `{}/`", self.prefix));
        };
        let is_api = path::below("/api", path).is_some();
        if channel == Channel::Internal && !is_api {
            return refuse(StatusCode::NOT_FOUND, "only the API is served here");
        }
        if is_api && headers::is_from_a_page(request.headers()) {
            return refuse(StatusCode::FORBIDDEN, "the API does not answer scripts of web pages");
        }
        if let Some(cluster) = ClusterPath::parse(path) {
            let name = cluster.name.clone();
            let (entry, entrance) = match self.sign_in {
                true => (entry::by_cookie(&cluster, &self.keys.get(), &request, now()), Entrance::Cookie),
                false => (entry::by_key(&cluster, &self.keys.get()), Entrance::Key),
            };
            match entry {
                Entry::Show(tail) => {
                    let tail = tail.to_owned();
                    return self.dashboard(&name, &tail, entrance, request).await;
                }
                Entry::Exchange(ticket, tail) => return self.exchange(&name, &ticket, tail, channel).await,
                Entry::Leave(tail) => return self.sign_in_at(&name, tail),
                Entry::SignIn if self.gateway.is_none() => return self.sign_in_at(&name, cluster.tail),
                Entry::SignIn => {}
                Entry::Unknown => return dashboard::unknown(),
            }
        } else if path::below("/clusters", path).is_some() && (!self.sign_in || self.gateway.is_none()) {
            return dashboard::unknown();
        }
        let Some(gateway) = &self.gateway else {
            return refuse(StatusCode::NOT_FOUND, "only dashboards are served here: the API has another address");
        };
        let scheme = if channel == Channel::Https { "https" } else { "http" };
        gateway.forward(request, HeaderValue::from_static(scheme)).await
    }
}

/// Serves one connection to its end. The head of its first request is known to be there.
pub(crate) async fn serve(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, site: Arc<Site>, channel: Channel) {
    let keep_alive = site.keep_alive;
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request, channel).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper counts the wait for the next request as a part of reading its head.
        .header_read_timeout(keep_alive)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
