//! Real identity providers, each a process on this machine, for the tests of signing in.
#![allow(clippy::unwrap_used)]
