//! Accepts Kerberos tickets, as they come in GSS-API tokens (raw, or in SPNEGO), with a service's keytab alone: no KDC is asked.
//!
//! Pure functions of the token, the keys, the clock and random bytes (RFC 4120, RFC 4121); encryption types 17 to 20 (AES). It knows nothing of
//! gateways and depends on no crate of ours. Whether a token was used before is the caller's to remember ([`Accepted::once`]).
//!
//! By hand: what there is in Rust knows the encryption types 17 and 18 at most, and clients of today are given 19 and 20 (RFC 8009); GSS-API's C
//! libraries ask files and the environment. AES, HMAC and hashes are aws-lc's. Begin with [`accept()`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
#[cfg(any(test, feature = "testing"))]
pub mod builder;
mod crypto;
mod der;
mod keytab;
mod messages;
#[cfg(test)]
mod tests;
mod token;

pub use accept::{Accepted, Policy, Random, Why, accept};
pub use keytab::{Keytab, KeytabError};
pub use messages::Principal;

/// A moment, in milliseconds since the Unix epoch; or a span of them.
pub type Ms = i64;
