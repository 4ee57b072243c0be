//! The Lambda host: what the five functions share. Each main puts together what it needs from here.
//!
//! [`Settings`] is what the template tells a function; [`Aws`] has the SDK's clients; [`gateway`] makes of both the same
//! [`Gateway`](faregate_gateway::Gateway) that the one-machine host makes of its own parts.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod absent;
mod aws;
mod batch;
pub mod front_door;
mod gateway;
mod http;
mod logs;
mod metrics;
mod relay;
mod secrets;
mod settings;
mod sign_in;
mod task_logs;
mod wakes;

pub use absent::Absent;
pub use aws::Aws;
pub use batch::{Taken, each};
pub use faregate_core::chain;
pub use gateway::{Outside, gateway, outside};
pub use logs::init as init_logs;
pub use metrics::Metrics;
pub use relay::RelaySchedulers;
pub use secrets::{SignInSecret, key_ring, key_ring_and_sign_in};
pub use settings::{Settings, SettingsError, ecs_settings};
pub use sign_in::sign_in;
pub use task_logs::{LogPlace, TaskLogs};
pub use wakes::{SqsWakes, WakeMessage};
