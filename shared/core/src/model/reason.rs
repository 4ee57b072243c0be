//! Why something was refused, waits, or ended: one vocabulary, readable by the user it concerns.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of reason it is; stable, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each name says what it is; the sentence says the rest
pub enum ReasonCode {
    // ends
    UserStopped,
    SchedulerExited,
    SchedulerFailed,
    SchedulerStartFailed,
    SchedulerStartTimeout,
    WorkerStartFailed,
    HeartbeatTimeout,
    IdleTimeout,
    MaxLifetime,
    GatewayShutdown,
    AdminStopped,
    UserRemoved,
    TokenRevoked,
    Frozen,
    Budget,
    NoClient,
    Unclaimed,
    LimitLowered,
    LimitsUnreadable,
    LaunchRejected,
    DiskLimit,
    // waits
    WaitingForAddress,
    WaitingForRoom,
    WaitingForCapacity,
    WaitingForPermissions,
    Throttled,
    SchedulerStarting,
    SchedulerSilent,
    WorkerStarting,
    // refusals
    LimitReached,
    // what users are told beside
    SpotUnavailable,
    SchedulerRetires,
    // what happened to one task
    WorkerStartTimeout,
    WorkerLost,
    WorkerExcess,
    ClusterStopping,
    NotWanted,
}

/// A code, a sentence for the user, and the numbers the sentence speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind.
    pub code: ReasonCode,
    /// The sentence, without a closing full stop.
    pub message: String,
    /// The numbers, by name; units are part of the name (`…_ms`, `…_bytes`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, i64>,
}

impl Reason {
    /// A reason without numbers.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Reason { code, message: message.into(), numbers: BTreeMap::new() }
    }

    /// The same reason with one more number.
    pub fn with(mut self, name: &str, value: i64) -> Self {
        self.numbers.insert(name.to_owned(), value);
        self
    }
}
