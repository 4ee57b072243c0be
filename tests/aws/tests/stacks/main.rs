//! What needs the whole stack, deployed from the real template. One binary, so that stacks wait beside each other and not in turn.
#![allow(clippy::unwrap_used)]

mod deployed;
mod second_deployments;
mod secrets_and_roles;
