//! Conformance suites, and what tests share.
#![allow(clippy::unwrap_used)]

pub mod api;
pub mod launcher_suite;
