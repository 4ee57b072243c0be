//! What tasks run, and how their schedulers are spoken to.

mod command;
mod http;

pub use command::{Listen, environment, scheduler_command, worker_command};
pub use http::HttpSchedulers;
