//! Schedulers, spoken to over HTTP: their API (how many workers) and the routes that the preload adds (idleness, retirement, warnings).
//!
//! Depends on core and keys. What schedulers are started with, the preload included, is the core's (`faregate_core::command`).
//! Begin with [`HttpSchedulers`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod http;
mod places;

pub use http::HttpSchedulers;
