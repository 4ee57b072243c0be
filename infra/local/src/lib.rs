//! The gateway on one machine.
