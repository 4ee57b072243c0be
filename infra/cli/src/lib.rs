//! The binary `faregate`: the gateway on one machine (`serve`, `demo`, `config`), and what administers any gateway (`admin`).
//!
//! It puts together what other crates make: the API and the services over the store on SQLite, local processes and the wake queue, with the
//! proxy as a process of its own that outlives the gateway. May depend on everything but the functions; only tests depend on it.
//! Begin with [`cli`], then `serve/open.rs` (how a gateway is put together) and `serve/loops.rs` (what it then does).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accounts;
pub mod admin;
pub mod cli;
pub mod config;
pub mod demo;
mod logs;
mod paths;
pub mod python;
pub mod serve;
pub mod wakes;
