//! Where records are kept.

use super::{
    Account, Cluster, ClusterName, Failures, Heartbeat, Launch, LaunchId, Limits, MachineToken, Month, Ms, Scope, Task,
    TaskId, Usage, Used,
};
use serde::{Deserialize, Serialize};

/// Grows by one with every write of an item.
pub type Version = u64;

/// A record as it was read, with the version a conditional write must name.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    /// The record.
    pub value: T,
    /// Its version.
    pub version: Version,
}

/// An item's key: partition, and the place within it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Partition.
    pub partition: String,
    /// Sort key.
    pub sort: String,
}

impl Key {
    fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Key { partition: partition.into(), sort: sort.into() }
    }

    /// A cluster: in its user's partition, by name, so that a list is one query and oldest first.
    pub fn cluster(name: &ClusterName) -> Self {
        Key::new(name.user_key().as_str(), name.as_str())
    }

    /// A cluster's heartbeat. It, the launches and the tasks share a partition of the cluster's own.
    pub fn heartbeat(name: &ClusterName) -> Self {
        Key::new(name.as_str(), "heartbeat")
    }

    /// A launch.
    pub fn launch(name: &ClusterName, id: &LaunchId) -> Self {
        Key::new(name.as_str(), format!("launch#{id}"))
    }

    /// A task.
    pub fn task(name: &ClusterName, id: &TaskId) -> Self {
        Key::new(name.as_str(), format!("task#{id}"))
    }

    /// A user's or group's counters.
    pub fn usage(scope: &Scope) -> Self {
        Key::new(format!("usage#{scope}"), "usage")
    }

    /// A scope's limits; all are in one partition, and read together.
    pub fn limits(scope: &Scope) -> Self {
        Key::new("limits", scope.to_string())
    }

    /// The last good value of a scope's limits.
    pub fn limits_in_force(scope: &str) -> Self {
        Key::new("limits-in-force", scope)
    }

    /// A cluster's entry in a month's ledger; a user's are side by side.
    pub fn ledger(month: Month, cluster: &ClusterName) -> Self {
        Key::new(format!("ledger#{month}"), cluster.as_str())
    }

    /// A user's password; all are in one partition.
    pub fn account(user: &str) -> Self {
        Key::new("accounts", user)
    }

    /// A machine token; all are in one partition.
    pub fn machine_token(id: &str) -> Self {
        Key::new("tokens", id)
    }

    /// What has failed of a user's sign-ins, of a peer's, or of both; all are in one partition.
    pub fn failures(user: Option<&str>, peer: Option<&str>) -> Self {
        // no address has a space in it
        Key::new("failures", format!("{} {}", peer.unwrap_or_default(), user.unwrap_or_default()))
    }

    /// What was used, and may not be again.
    pub fn used(what: &str) -> Self {
        Key::new("used", what)
    }
}

/// Everything that is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Record {
    Cluster(Box<Cluster>),
    Heartbeat(Heartbeat),
    Launch(Launch),
    Task(Task),
    Usage(Usage),
    Limits { scope: Scope, limits: Limits },
    Account(Account),
    MachineToken(MachineToken),
    Used(Used),
    Failures(Failures),
}

/// A lift is to be seen by whoever has failures in memory.
const LIFT_MS: Ms = 3_600_000;

impl Record {
    /// Its key.
    pub fn key(&self) -> Key {
        match self {
            Record::Cluster(c) => Key::cluster(&c.name),
            Record::Heartbeat(h) => Key::heartbeat(&h.cluster),
            Record::Launch(l) => Key::launch(&l.cluster, &l.id),
            Record::Task(t) => Key::task(&t.cluster, &t.facts.id),
            Record::Usage(u) => Key::usage(&u.scope),
            Record::Limits { scope, .. } => Key::limits(scope),
            Record::Account(a) => Key::account(&a.name),
            Record::MachineToken(t) => Key::machine_token(&t.id),
            Record::Used(u) => Key::used(&u.what),
            Record::Failures(f) => Key::failures(f.user.as_deref(), f.peer.as_deref()),
        }
    }

    /// When it may be forgotten.
    pub fn expires_at(&self) -> Option<Ms> {
        match self {
            Record::Cluster(c) => c.expires_at,
            Record::Heartbeat(h) => h.expires_at,
            Record::Launch(l) => l.expires_at,
            Record::Task(t) => t.expires_at,
            Record::Account(a) => a.expires_at,
            Record::MachineToken(t) => t.expires_at,
            Record::Used(u) => Some(u.expires_at),
            Record::Failures(f) => Some(f.forgotten_at.max(f.lifted_at.unwrap_or_default() + LIFT_MS)),
            Record::Usage(_) | Record::Limits { .. } => None,
        }
    }
}
