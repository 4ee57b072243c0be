//! The proxy as a Fargate service: relays and dashboards behind a network load balancer, without an API.
//!
//! Routes are read from the clusters' records in DynamoDB, through a [`cache`]; the key ring from its secret, which is read again
//! every few minutes ([`keys`]). It decides nothing, writes nothing but which tickets were used ([`once`]), and may run any number of
//! times at once.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cache;
pub mod keys;
pub mod once;
mod settings;

pub use settings::Settings;
