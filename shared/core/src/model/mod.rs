//! The records, and the plain values they are made of. No I/O, no clock, no randomness.

mod account;
mod audit;
pub mod clock;
mod cluster;
mod cluster_config;
mod failures;
mod heartbeat;
mod identity;
mod image;
mod launch;
mod ledger;
mod limits;
mod month;
mod name;
mod pace;
mod policy;
mod price_list;
mod prices;
mod reason;
mod record;
mod secrets;
mod size;
mod switches;
mod task;
mod task_size;
mod usage;

pub use account::{Account, MachineToken, TokenScope, Used};
pub use audit::{Act, Audit, InvalidWhy};
pub use cluster::{Addresses, Cluster, Meter, Reserved, Shrink, Status};
pub use cluster_config::{ClusterConfig, InvalidClusterConfig};
pub use failures::Failures;
pub use heartbeat::{Content, Heartbeat, InvalidContent};
pub use identity::{Identity, InvalidUser, Role, TokenUse, user_name, valid_user};
pub use image::check_image;
pub use launch::{Fargate, Launch, LaunchId, LaunchSpec, LaunchState};
pub use ledger::{Amount, LedgerEntry, Metered, billed_time};
pub use limits::{InvalidLimits, Limits, Scope};
pub use month::{InvalidMonth, Month};
pub use name::{ClusterName, InvalidName, UserKey, hex};
pub use pace::{Pace, PaceStep};
pub use policy::Policy;
pub use prices::{Prices, Rates};
pub use reason::{Reason, ReasonCode};
pub use record::{Key, Record, Stored, Version};
pub use secrets::{Certificate, Sealed};
pub use size::{InvalidSize, LEAST_MEMORY, format_size, parse_size, too_little_memory};
#[cfg(feature = "safety-switches")]
pub use switches::SafetySwitches;
pub use task::{Activity, Task, TaskFacts, TaskId, TaskRole, TaskState};
pub use task_size::TaskSizes;
pub use usage::{Counts, Usage};

/// A moment, in milliseconds since the Unix epoch. Durations are in milliseconds too, as `…_ms`.
pub type Ms = i64;
