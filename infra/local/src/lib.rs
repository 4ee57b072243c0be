//! The gateway on one machine.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod launcher;
