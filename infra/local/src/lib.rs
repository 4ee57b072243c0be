//! The gateway on one machine: the core of `faregate` over an embedded store and local processes, with the proxy as a process of its own
//! that outlives it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accounts;
pub mod admin;
pub mod cli;
pub mod config;
pub mod demo;
pub mod logs;
mod paths;
pub mod python;
pub mod serve;
pub mod wakes;
