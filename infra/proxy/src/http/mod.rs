//! HTTP: which requests are a dashboard's, which are the gateway's, and which are nobody's.

mod answer;
mod body;
mod dashboard;
mod entry;
mod exit;
mod gateway;
mod headers;
mod hosts;
mod isolation;
mod paced;
mod passed_on;
mod path;
mod ring;
mod sign_in;
mod wire;

use crate::config::{Api, ConfigError, LocalPeers, ProxyConfig, Scheme};
use crate::once::Outside;
use crate::places::{Budget, Full, Kind, Place, Places, Share};
use crate::routes::RouteSource;
use crate::trust::{Origin, Remote, Trust};
use answer::{Answer, refuse, refuse_for_now};
use entry::Entry;
use exit::{Departing, depart};
use faregate_core::ports::Once;
use faregate_machine::now;
use gateway::Gateway;
use hosts::Hosts;
use http::{Method, Request, Response, StatusCode};
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
use wire::{Exchanges, Wire};

/// The longest head of a request, in bytes: a Kerberos ticket with its holder's groups may take most of it.
const LONGEST_HEAD: usize = 64 * 1024;
/// Bytes of heads and small bodies that are incomplete, all together.
const INCOMPLETE: usize = 64 << 20;

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
    head_time: Duration,
    connect: Duration,
    keys: Ring,
    trust: Trust,
    hosts: Hosts,
    local_peers: LocalPeers,
    budget: Budget,
    places: Arc<Places>,
    routes: Arc<dyn RouteSource>,
    once: Arc<dyn Once>,
    /// None where the API is elsewhere.
    gateway: Option<Arc<Gateway>>,
    /// Where people sign in, before the path; empty where the API is behind us.
    sign_in_at: String,
}

impl Site {
    pub(crate) fn open(config: ProxyConfig, outside: Outside, places: Arc<Places>) -> Result<Self, ConfigError> {
        let (trust, hosts) = (Trust::new(&config), Hosts::new(&config));
        let budget = Budget::new(INCOMPLETE);
        let prefix = config.prefix;
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.ends_with('/')) {
            return Err(ConfigError::Prefix(prefix));
        }
        let (gateway, sign_in_at) = match config.api {
            Api::Unix(socket) => {
                let gateway =
                    Gateway::new(socket, config.gateway_secret, &config.timeouts, budget.clone(), places.clone());
                (Some(Arc::new(gateway)), prefix.clone())
            }
            Api::Elsewhere { url: None, .. } if config.sign_in => return Err(ConfigError::SignIn),
            Api::Elsewhere { url, .. } => (None, url.unwrap_or_default()),
        };
        Ok(Site {
            prefix,
            sign_in: config.sign_in,
            keep_alive: Duration::from_millis(config.timeouts.keep_alive_ms),
            head_time: config.timeouts.handshake(),
            connect: config.timeouts.connect(),
            keys: Ring::open(config.keys)?,
            routes: outside.routes,
            once: outside.once,
            gateway,
            sign_in_at,
            trust,
            hosts,
            local_peers: config.local_peers,
            budget,
            places,
        })
    }

    /// Answers one request, with the place that it holds until its answer is at its end.
    async fn answer(&self, request: Request<Incoming>, channel: Channel, remote: &Remote) -> (Answer, Option<Place>) {
        let scheme = if channel == Channel::Https { Scheme::Https } else { Scheme::Http };
        let origin = self.trust.origin(remote, scheme, request.headers());
        if let Some(refusal) = self.refuse_early(&request, channel, remote) {
            return (refusal, None);
        }
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let path = path::below(&self.prefix, target).unwrap_or_default();
        if let Some(cluster) = ClusterPath::parse(path) {
            let name = cluster.name.clone();
            let https = origin.scheme == Scheme::Https;
            let (entry, entrance) = match self.sign_in {
                true => (entry::by_cookie(&cluster, &self.keys.get(), &request, https, now()), Entrance::Cookie),
                false => (entry::by_key(&cluster, &self.keys.get()), Entrance::Key),
            };
            match entry {
                Entry::Show(tail) => {
                    let tail = tail.to_owned();
                    let place = match self.places.take(Kind::Dashboard, origin.sharer, self.connect).await {
                        Ok(place) => place,
                        Err(full) => return (too_many_dashboards(full, &origin), None),
                    };
                    return self.dashboard(&name, &tail, entrance, request, place).await;
                }
                Entry::Exchange(ticket, tail) => {
                    return (self.exchange(&name, &ticket, tail, origin.scheme).await, None);
                }
                Entry::Leave(tail) => return (self.sign_in_at(&name, tail), None),
                Entry::SignIn if self.gateway.is_none() => return (self.sign_in_at(&name, cluster.tail), None),
                Entry::SignIn => {}
                Entry::Unknown => return (dashboard::unknown(), None),
            }
        } else if path::below("/clusters", path).is_some() && (!self.sign_in || self.gateway.is_none()) {
            return (dashboard::unknown(), None);
        }
        let Some(gateway) = &self.gateway else {
            let message = "only dashboards are served here: the API has another address";
            return (refuse(StatusCode::NOT_FOUND, message), None);
        };
        let kind = match channel {
            Channel::Internal => Kind::Scheduler,
            _ if path.trim_end_matches('/') == "/api/health" && request.method() == Method::GET => Kind::Health,
            _ => Kind::Api,
        };
        gateway.forward(request, kind, &origin).await
    }

    /// What is not answered, whatever it asks for.
    fn refuse_early(&self, request: &Request<Incoming>, channel: Channel, remote: &Remote) -> Option<Answer> {
        if channel == Channel::PlainBesideHttps {
            let message = "this port speaks HTTPS: use an address that starts with `https://`";
            return Some(refuse(StatusCode::BAD_REQUEST, message));
        }
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let Some(path) = path::below(&self.prefix, target) else {
            let message = format!("nothing is served outside `{}/`", self.prefix);
            return Some(refuse(StatusCode::NOT_FOUND, &message));
        };
        if let Err(message) = self.hosts.admit(self.local_peers, request, remote, channel == Channel::Internal) {
            tracing::info!(uid = remote.uid, message, "authentication failed");
            return Some(refuse(StatusCode::FORBIDDEN, &message));
        }
        let is_api = path::below("/api", path).is_some();
        if channel == Channel::Internal && !is_api {
            return Some(refuse(StatusCode::NOT_FOUND, "only the API is served here"));
        }
        if is_api && headers::is_from_a_page(request.headers()) {
            return Some(refuse(StatusCode::FORBIDDEN, "the API does not answer scripts of web pages"));
        }
        None
    }
}

fn too_many_dashboards(full: Full, origin: &Origin) -> Answer {
    full.log(origin);
    let status = if full == Full::Yours { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
    refuse_for_now(status, "too many requests to dashboards are under way at once; close some of their pages")
}

/// Serves one connection to its end, which holds its share of connections so long. The head of its first request is known to be there.
pub(crate) async fn serve(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    site: Arc<Site>,
    channel: Channel,
    remote: Remote,
    share: Share,
) {
    let _share = share;
    let exchanges = Arc::<Exchanges>::default();
    let wire = Wire::new(io, exchanges.clone(), site.head_time, site.budget.clone());
    let keep_alive = site.keep_alive;
    let service = service_fn(move |request| {
        let (site, exchange) = (site.clone(), exchanges.begin());
        async move {
            let (answer, place) = site.answer(request, channel, &remote).await;
            Ok::<Response<Departing>, Infallible>(depart(answer, place, exchange))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper counts the wait for the next request as a part of reading its head.
        .header_read_timeout(keep_alive)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(wire), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
