//! The core of Faregate: the records, the pure decisions, the ports, the one place where decisions meet I/O, and the REST API.
//!
//! Dependencies point one way: api → [`access`] → gateway → reconcile → [`model`]; [`ports`] speaks of the model alone.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod api;
mod chain;
pub mod dask;
pub mod gateway;
mod later;
pub mod machine;
pub mod model;
pub mod options;
pub mod ports;
pub mod reconcile;
pub mod settings;
mod steady;

pub use chain::chain;
pub use later::{Later, later};
