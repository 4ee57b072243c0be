//! ECS as AWS behaves, on one machine: tasks are local processes.
//!
//! A server that speaks ECS's protocol (AWS JSON 1.1), checks what AWS checks, takes tasks through their states, starts
//! their commands as processes with an address, a metadata endpoint and environment files, sends their state changes to
//! EventBridge, and fails as AWS fails when it is told to.
//!
//! ```no_run
//! # use fake_ecs::{FakeEcs, Fault, Settings, Then};
//! # fn main() -> std::io::Result<()> {
//! let mut settings = Settings::new("/tmp/tasks");      // where tasks live: <dir>/<task id>.log, <dir>/<task id>/
//! settings.clusters = vec!["stack-cluster".into()];    // those that exist; more: `ecs.add_cluster(name)`
//! settings.path = vec!["/venv/bin".into()];            // where `python3` and `dask` come from
//! settings.s3 = Some("http://127.0.0.1:4777".into());  // environment files
//! settings.events = Some("http://127.0.0.1:4777".into());
//! settings.run_processes = true;                       // false: tasks are states only
//! settings.knobs.provisioning_ms = 200;                // and every other knob
//! let ecs = FakeEcs::start(settings)?;                 // its own threads: call it from anywhere, async or not
//! println!("AWS_ENDPOINT_URL_ECS={}", ecs.url());
//!
//! ecs.fail(Fault::next(2, "RunTask", Then::NoCapacity { start: 3 }));
//! ecs.turn(|knobs| knobs.events.drop = 0.5);
//! for task in ecs.tasks() {                            // as DescribeTasks tells them, with `pid` and `log`
//!     ecs.kill(task["taskArn"].as_str().unwrap_or_default());
//! }
//! println!("{:?} {:?}", ecs.counts(), ecs.bodies("RunTask"));
//! # Ok(())
//! # }
//! ```
//!
//! When it is dropped every process that it started is killed. The same over HTTP: [`control`]. Not kept as AWS keeps it:
//! one container a task (the first of the definition), services run nothing, nobody checks signatures.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actions;
mod addresses;
mod calls;
mod checks;
mod clock;
mod clusters;
pub mod control;
mod definitions;
mod environment;
mod events;
mod fake;
mod faults;
mod http_client;
mod inside;
mod life;
mod logs;
mod metadata;
mod process;
mod random;
mod rates;
mod run_task;
mod server;
mod settings;
mod sizes;
mod start_failures;
mod state;
mod tasks;
mod tokens;
mod wire;

pub use calls::Count;
pub use fake::FakeEcs;
pub use faults::{Fault, NO_CAPACITY, Then, VCPU_LIMIT, When};
pub use rates::{Rate, Rates};
pub use settings::{EventFaults, Knobs, Settings};
pub use start_failures::StartFailures;
