//! The records, and the plain values they are made of. No I/O, no clock, no randomness.

mod account;
mod audit;
pub mod ceiling;
mod certificate;
mod cluster;
mod cluster_config;
mod effective;
mod heartbeat;
mod identity;
mod key_ring;
mod key_secret;
mod launch;
mod ledger;
mod limits;
mod month;
mod name;
mod policy;
mod price_list;
mod prices;
mod reason;
mod record;
mod size;
mod task;
mod task_size;
mod ticket;
mod usage;

pub use account::{Account, MachineToken, TokenScope, Used};
pub use audit::Audit;
pub use certificate::{Certificate, issue_certificate};
pub use cluster::{Addresses, Charged, Cluster, Meter, Shrink, Status};
pub use cluster_config::{ClusterConfig, InvalidClusterConfig};
pub use effective::{Effective, LimitValue, Totals, effective};
pub use heartbeat::{Content, Heartbeat, InvalidContent};
pub use identity::{Identity, InvalidUser, Role, TokenUse, user_name, valid_user};
pub use key_ring::{KeyRing, KeyRingError, RingKey, Sealed, Use};
pub use launch::{Fargate, Launch, LaunchId, LaunchSpec, LaunchState};
pub use ledger::{Amount, LedgerEntry, Metered, billed_time};
pub use limits::{InvalidLimits, Limits, Scope};
pub use month::{InvalidMonth, Month};
pub(crate) use name::hex;
pub use name::{ClusterName, InvalidName, UserKey};
pub use policy::{Policy, Rules};
pub use prices::{Prices, Rates};
pub use reason::{Reason, ReasonCode};
pub use record::{Key, Record, Stored, Version};
pub use size::{InvalidSize, format_size, parse_size};
pub use task::{Activity, Task, TaskFacts, TaskId, TaskRole, TaskState};
pub use task_size::TaskSizes;
pub use ticket::{PASS_LIFE_MS, TICKET_LIFE_MS, Ticket};
pub use usage::{Counts, Usage};

/// A moment, in milliseconds since the Unix epoch. Durations are in milliseconds too, as `…_ms`.
pub type Ms = i64;
