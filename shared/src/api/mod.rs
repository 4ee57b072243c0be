//! The REST API that the unmodified `dask_gateway` client and its scheduler preload speak, as an axum router over the [`Gateway`].
//!
//! [`router`] is the table of contents; every operation is a file of its own. Bodies and names are checked here, so that the gateway
//! sees only well-formed requests; every refusal is JSON `{"error": "…"}` with a status that the client shows.

pub mod auth;
mod body;
mod content;
mod failure;
mod operations;
mod path;
mod report;
mod router;

pub use router::router;

use crate::gateway::Gateway;
use auth::Auth;
use std::sync::Arc;

/// What the router is made of.
pub struct App {
    /// Does what is asked.
    pub gateway: Arc<Gateway>,
    /// Says who asks.
    pub auth: Auth,
    /// Path that everything is served under: empty, or `/like/this`, without a slash at the end.
    pub prefix: String,
    /// What `GET /api/version` answers.
    pub version: String,
    /// Dashboards ask for sign-in at `/clusters/<name>/status`; otherwise their link carries a key.
    pub dashboard_sign_in: bool,
}
