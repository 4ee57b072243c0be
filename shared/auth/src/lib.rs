//! Who calls: the ways to sign in ([`methods`]), the sessions of those who did ([`Auth`]), and the passwords and machine tokens that are
//! kept for it ([`access`]).
//!
//! Depends on core, keys, headers and kerberos. It reads headers and answers who somebody is, or why they are not let in: the door of the API (`shared/api/src/door`)
//! makes HTTP of it, and asks what those who came in may do. Begin with [`Method`], then [`Auth::sign_in`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
mod auth;
mod config;
mod error;
mod failed;
mod groups;
mod guesses;
mod method;
pub mod methods;
mod open;
mod presented;
mod registry;
mod session;
#[cfg(test)]
mod stub;
mod web;

pub use auth::{Auth, Authentication, Confirmed, MOST_GROUPS, SessionStart, SignedIn};
pub use config::{AuthConfigError, Config};
pub use error::{AuthError, SessionEnd};
pub use failed::{Failed, FailureLog};
pub use faregate_headers::Peer;
pub use guesses::Guesses;
pub use method::{Authenticated, Method, Reading, SessionCheck};
pub use open::{OpenError, Opened};
pub use presented::{Presented, authorization};
pub use registry::{Backends, MethodConfig, manual, method_names};
pub use web::Web;
