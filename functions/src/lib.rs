//! The Lambda host: what the five functions share. Each main puts together what it needs from here.
//!
//! [`Settings`] is what the template tells a function; [`Aws`] has the SDK's clients; [`Records`] makes of both what the services of
//! `faregate-gateway` need. Only the reconciler's main makes a launcher.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod aws;
mod batch;
pub mod front_door;
mod http;
mod logs;
mod metrics;
mod records;
mod relay;
mod routes;
mod secrets;
mod settings;
mod sign_in;
mod task_logs;
mod wakes;

pub use aws::Aws;
pub use batch::{Taken, each};
pub use faregate_core::chain;
pub use logs::init as init_logs;
pub use metrics::Metrics;
pub use records::{Records, cluster_settings, schedulers};
pub use relay::RelaySchedulers;
pub use routes::RecordsAreRoutes;
pub use secrets::{SignInSecret, key_ring, key_ring_and_sign_in};
pub use settings::{Settings, SettingsError, ecs_settings};
pub use sign_in::sign_in;
pub use task_logs::{LogPlace, TaskLogs};
pub use wakes::{SqsWakes, WakeMessage};
