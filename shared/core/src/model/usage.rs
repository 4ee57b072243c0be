//! What a user or group has in use, counted in the same transaction as what is counted.

use super::{Ms, Scope};
use serde::{Deserialize, Serialize};
use std::ops::{Add, Mul, Neg, Sub};

/// Four counts that limits speak of. Signed, so that a difference is one too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Clusters not yet at rest.
    pub clusters: i64,
    /// Worker tasks reserved or not known to be gone.
    pub workers: i64,
    /// Their cores, in thousandths.
    pub millicores: i64,
    /// Their memory, in bytes.
    pub memory_bytes: i64,
}

const UNBOUNDED: i64 = i64::MAX / 4;

impl Counts {
    /// One cluster.
    pub const CLUSTER: Counts = Counts { clusters: 1, workers: 0, millicores: 0, memory_bytes: 0 };

    /// More than anybody can use: what a missing limit counts as.
    pub const UNBOUNDED: Counts =
        Counts { clusters: UNBOUNDED, workers: UNBOUNDED, millicores: UNBOUNDED, memory_bytes: UNBOUNDED };

    /// Nothing.
    pub fn is_zero(&self) -> bool {
        *self == Counts::default()
    }

    /// Is any count below zero?
    pub fn any_negative(&self) -> bool {
        self.clusters < 0 || self.workers < 0 || self.millicores < 0 || self.memory_bytes < 0
    }
}

/// Saturating: a count that cannot be is no reason to end a process.
impl Add for Counts {
    type Output = Counts;
    fn add(self, o: Counts) -> Counts {
        Counts {
            clusters: self.clusters.saturating_add(o.clusters),
            workers: self.workers.saturating_add(o.workers),
            millicores: self.millicores.saturating_add(o.millicores),
            memory_bytes: self.memory_bytes.saturating_add(o.memory_bytes),
        }
    }
}

impl Neg for Counts {
    type Output = Counts;
    fn neg(self) -> Counts {
        self * -1
    }
}

impl Sub for Counts {
    type Output = Counts;
    fn sub(self, o: Counts) -> Counts {
        self + -o
    }
}

impl Mul<i64> for Counts {
    type Output = Counts;
    fn mul(self, n: i64) -> Counts {
        Counts {
            clusters: self.clusters.saturating_mul(n),
            workers: self.workers.saturating_mul(n),
            millicores: self.millicores.saturating_mul(n),
            memory_bytes: self.memory_bytes.saturating_mul(n),
        }
    }
}

/// The counters of one user or group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Whose.
    pub scope: Scope,
    /// In use.
    pub counts: Counts,
    /// When it was last counted up or down; 0 = not known.
    #[serde(default)]
    pub changed_at: Ms,
    /// A user's: by when the clusters that they created would be paid for at the steady rate (see [`super::Pace`]).
    #[serde(default)]
    pub paid_at: Ms,
}

impl Usage {
    /// The counters of somebody who was never counted.
    pub fn none(scope: Scope) -> Self {
        Usage { scope, counts: Counts::default(), changed_at: 0, paid_at: 0 }
    }
}
