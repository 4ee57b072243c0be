//! Tests.
#![allow(clippy::unwrap_used)]

pub mod launcher_suite;
