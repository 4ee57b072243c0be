//! The door: who calls, before anything of a request is read ([`mod@guard`]), what those who came in may do all the same ([`rights`]), and
//! how handlers ask for them ([`principal`]).
//!
//! Who they are is found out by `faregate_auth`, and what a route is open to stands in its row; here both become HTTP.

mod guard;
mod principal;
mod rights;

pub use guard::{client_network, credentials, dashboard_cookie, guard, is_own_page};
pub use principal::{AnyCaller, ClusterCaller, Session, User};
pub use rights::within_scopes;
