//! What the tests share: conformance suites for the ports, sample records, and worlds to run in.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

pub mod samples;
pub mod store_suite;
