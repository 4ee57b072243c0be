//! The core of Faregate: the records ([`model`]), the arithmetic of limits ([`limits`]), the decisions over them ([`reconcile`]), what users may choose ([`options`]), what tasks
//! run ([`command`]), and what all of it needs of the world outside ([`ports`]).
//!
//! Pure: no runtime, clock, randomness, HTTP, cryptography or SDK. It depends on no other crate of ours; all others depend on it.
//! Begin with [`model::Cluster`], then [`reconcile::reconcile`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chain;
pub mod command;
mod later;
pub mod limits;
pub mod model;
mod nearest;
pub mod options;
pub mod ports;
mod printable;
pub mod reconcile;

pub use chain::chain;
pub use later::{Later, later};
pub use nearest::{did_you_mean, nearest};
pub use printable::printable;
