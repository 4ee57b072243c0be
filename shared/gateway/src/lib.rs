//! The services that the API, events and the clock set in motion: thin shells around [`faregate_core::reconcile`], the same for every host.
//! Each has the ports that it needs and no more: [`Clusters`] (what users do), [`Heartbeats`], [`Usage`], [`TaskEvents`], [`admin::Admin`]
//! and [`Enforcer`] (time as an event) write what is wanted, or what happened, and send a wake; [`Reconciler`] alone holds the launcher, and
//! starts and stops tasks. Depends on core and keys: no HTTP. Begin with `reconciler.rs`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actions;
mod adapt;
pub mod admin;
mod budget;
mod clock;
mod clusters;
mod context;
mod create;
mod dashboard;
mod disk;
mod enforcer;
mod error;
mod explain;
mod extend;
mod gateway;
mod heartbeats;
mod my_limits;
mod orphan_scan;
mod paces;
mod read;
mod reconciler;
mod recount;
mod retirement;
mod spend;
mod stop;
mod task_events;
mod trim;
mod usage;

pub use adapt::Scaled;
pub use clusters::{ClusterSettings, Clusters};
pub use context::Context;
pub use enforcer::{EnforcementReport, Enforcer};
pub use error::ServiceError;
pub use explain::{EndedTask, Explanation, Workers};
pub use gateway::{Gateway, Services};
pub use heartbeats::Heartbeats;
pub use my_limits::MyLimits;
pub use reconciler::{ReconcileError, Reconciler};
pub use recount::RecountCursor;
pub use spend::{ClusterSpent, Spent};
pub use stop::Caller;
pub use task_events::TaskEvents;
pub use usage::{ClusterUsage, MyUsage, Usage, Used};
