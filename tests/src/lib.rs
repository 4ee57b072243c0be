//! Suites and worlds that the tests share.

pub mod world;
