//! What the tests share: conformance suites for the ports, sample records, and worlds to run in.
#![allow(clippy::unwrap_used, missing_docs)] // names are sentences

pub mod accounts;
pub mod api;
pub mod contended;
pub mod crowd;
pub mod killing;
pub mod launcher_suite;
pub mod python;
pub mod samples;
pub mod script;
pub mod secrets;
pub mod server;
pub mod store_suite;
pub mod storm;
pub mod wakes_suite;
