//! The gateway's secrets: the key ring ([`KeyRing`]), what is derived from it (clusters' tokens, tickets to dashboards), what is sealed with
//! it, and clusters' certificates.
//!
//! All that needs a cryptographic library, and nothing else: no I/O and no clock. Depends on the core alone. Begin with [`KeyRing`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod certificate;
mod key_ring;
mod key_secret;
mod ticket;

pub use certificate::issue_certificate;
pub use key_ring::{KeyRing, KeyRingError, RingKey, Use, dashboard_key};
pub use ticket::{DASHBOARD_SESSION_MS, TICKET_LIFE_MS, Ticket};
