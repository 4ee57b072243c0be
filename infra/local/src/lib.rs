//! The gateway on one machine.

pub mod store;
