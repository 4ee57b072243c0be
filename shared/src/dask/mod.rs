//! What tasks run, and how their schedulers are spoken to.

mod command;
mod http;
mod places;

/// The header in which whoever asks a dashboard shows its key ([`crate::model::dashboard_key`]); `guard.py` reads it.
pub const DASHBOARD_HEADER: &str = "x-faregate-dashboard";

pub use command::{Listen, environment, scheduler_command, worker_command};
pub use http::HttpSchedulers;
