//! Tests.
pub mod api;
