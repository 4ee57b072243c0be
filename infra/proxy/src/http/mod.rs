//! HTTP: which requests are a dashboard's, which are the gateway's, and which are nobody's.

mod answer;
mod dashboard;
mod gateway;
mod headers;
mod path;
mod ring;

use crate::config::{Api, ConfigError, ProxyConfig};
use crate::routes::RouteSource;
use answer::{Answer, refuse};
use faregate::model::Use;
use gateway::Gateway;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
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
    /// None where the API is elsewhere.
    gateway: Option<Arc<Gateway>>,
}

impl Site {
    pub(crate) fn open(config: ProxyConfig, routes: Arc<dyn RouteSource>) -> Result<Self, ConfigError> {
        let prefix = config.prefix;
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            return Err(ConfigError::Prefix(prefix));
        }
        let gateway_wait = Duration::from_millis(config.timeouts.gateway_wait_ms);
        let gateway = match config.api {
            Api::Unix(socket) => Some(Arc::new(Gateway::new(socket, gateway_wait))),
            Api::Elsewhere if config.sign_in => return Err(ConfigError::SignIn),
            Api::Elsewhere => None,
        };
        Ok(Site {
            prefix,
            sign_in: config.sign_in,
            keep_alive: Duration::from_millis(config.timeouts.keep_alive_ms),
            connect: config.timeouts.connect(),
            keys: Ring::open(config.keys)?,
            routes,
            gateway,
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
        match ClusterPath::parse(path) {
            Some(cluster) if self.sign_in => {
                let keys = self.keys.get();
                let is_key = |text: &str| keys.verify(text, Use::Dashboard, &cluster.name);
                if cluster.keyed().is_some_and(|(key, _)| is_key(key)) {
                    return dashboard::unknown();
                }
                if headers::cookies(request.headers(), "faregate-dashboard").any(is_key) {
                    let (name, tail) = (cluster.name, cluster.tail.to_owned());
                    return self.dashboard(&name, &tail, request).await;
                }
            }
            Some(cluster) => {
                let keys = self.keys.get();
                let Some((key, tail)) = cluster.keyed() else { return dashboard::unknown() };
                if !keys.verify(key, Use::Dashboard, &cluster.name) {
                    return dashboard::unknown();
                }
                let (name, tail) = (cluster.name.clone(), tail.to_owned());
                return self.dashboard(&name, &tail, request).await;
            }
            None if path::below("/clusters", path).is_some() && !self.sign_in => return dashboard::unknown(),
            None => {}
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
