//! The door: who calls, before anything of a request is read ([`mod@guard`]), and what those who came in may do all the same.
//!
//! Who they are is found out by `faregate_auth`; here it becomes HTTP.

mod guard;
mod rights;

pub use guard::{AnyCaller, ClusterCaller, Session, User, admins_only, dashboard_cookie, guard, people_only};
pub use rights::within_scopes;
