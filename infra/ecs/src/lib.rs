//! The launcher on ECS Fargate.
//!
//! A cluster's credentials are one object in S3, which Fargate itself reads into the environment of the cluster's tasks: no
//! description, override or task definition ever holds them. A task definition belongs to an image and an architecture;
//! everything else is an argument of RunTask, and a launch's id is that call's token, so that a call can be made again.
//!
//! Nothing is retried here: the launch's record is the retry. Requests and answers are translated by pure
//! functions in files of their own; [`EcsLauncher`] only makes the calls.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod calls;
mod credentials;
mod definition;
mod definitions;
mod ending;
pub mod event;
mod launcher;
mod overrides;
mod refusal;
mod reply;
mod request;
mod settings;
mod start_errors;
mod tags;
mod task;

pub use definition::log_stream;
pub use launcher::EcsLauncher;
pub use overrides::check_launch;
pub use settings::Settings;
