//! What the proxy and the API say in headers: whose a connection is ([`Peer`], [`Network`]), to each other; cookies ([`Cookie`]) and what keeps
//! answers from pages of dashboards ([`seal`]), to browsers.
//!
//! Text in, text out: no I/O and no clock. Depends on the core and `http` alone. Begin with [`Peer`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cookie;
mod network;
mod origin;
mod peer;
mod sealed;

pub use cookie::{Cookie, by_https, cookies};
pub use network::{Network, NotANetwork};
pub use origin::names_another_origin;
pub use peer::Peer;
pub use sealed::{FORM_POLICY, seal};
