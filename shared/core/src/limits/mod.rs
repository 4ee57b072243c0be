//! All arithmetic of limits, and the sentences about them, for who creates, scales, reconciles and enforces alike.
//!
//! Limit items come to what is effective for one user ([`effective()`]); each limit of that is a [`Ceiling`]; what it leaves room for under
//! what is in use is headroom ([`allowed_workers`], [`headroom`]); what a cluster reserves under its counters is in [`reservations`]; what
//! has become too much since a limit was lowered in [`lowered`].

mod ceiling;
mod effective;
pub mod headroom;
pub mod lowered;
pub mod reservations;

pub use ceiling::{Ceiling, Measure, counted, of_a_cluster};
pub use effective::{Effective, LimitValue, Totals, effective};
pub use headroom::allowed_workers;
