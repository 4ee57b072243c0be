//! The REST API that the unmodified `dask_gateway` client and its scheduler preload speak, as an axum router over the [`Gateway`].
//!
//! [`routes()`] is the table of contents; every operation is a file of its own. Bodies and names are checked here, so that the gateway
//! sees only well-formed requests; every refusal is JSON `{"error": "…"}` with a status that the client shows.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod budget;
mod content;
mod door;
mod error;
mod large;
mod operations;
mod params;
mod path;
mod report;
mod router;
mod routes;
pub mod settings;
mod sign_in_page;

pub use error::STATUSES;
pub use router::router;
pub use routes::{AccessRule, Frozen, Route, Who, dashboard_route, routes, sign_in_route};

use faregate_auth::Auth;
use faregate_auth::access::Access;
use faregate_gateway::Gateway;
use faregate_headers::Network;
use std::sync::Arc;

/// What the router is made of.
pub struct App {
    /// Does what is asked.
    pub gateway: Arc<Gateway>,
    /// Passwords and machine tokens.
    pub access: Arc<Access>,
    /// Says who asks.
    pub auth: Auth,
    /// Path that everything is served under: empty, or `/like/this`, without a slash at the end.
    pub prefix: String,
    /// What `GET /api/version` answers.
    pub version: String,
    /// Where clusters' dashboards are looked at.
    pub dashboards: Dashboards,
    /// Where clients come from; clusters, by their tokens, come from anywhere. With none, clients do, too.
    pub client_networks: Vec<Network>,
}

/// Where clusters' dashboards are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dashboards {
    /// At the API's own address: a proxy stands before it.
    Here {
        /// They ask for sign-in at `/clusters/<name>/status`; otherwise their link carries a key.
        sign_in: bool,
    },
    /// At a proxy with an address of its own. A link on the API's address, which is what clients make of a cluster's
    /// `dashboard_route`, is answered with a redirect to there.
    Elsewhere {
        /// `https://host`, and the path that the proxy serves under, without a slash at the end.
        url: String,
        /// They ask for sign-in: the redirect carries a ticket, which the proxy makes a cookie of. Otherwise the link carries a key.
        sign_in: bool,
    },
    /// Nowhere: there is no proxy, and no link.
    Nowhere,
}

impl Dashboards {
    /// Is a link's key all that it takes to look?
    pub fn are_keyed(&self) -> bool {
        matches!(self, Dashboards::Here { sign_in: false } | Dashboards::Elsewhere { sign_in: false, .. })
    }
}
