//! What the tests share: fixtures, conformance suites, worlds.

pub mod api;
