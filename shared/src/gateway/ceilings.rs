//! Limits as people read them: which field, its value, whose it is.

use crate::model::{Counts, Effective, Scope, format_size};
use serde_json::{Value, json};
use std::fmt;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Clusters,
    Workers,
    Cores,
    Memory,
}

use Measure::{Clusters, Cores, Memory, Workers};

impl Measure {
    pub const ALL: [Measure; 4] = [Clusters, Workers, Cores, Memory];

    /// The field of a user's limits, and of a group's totals.
    pub fn field(self, scope: &Scope) -> &'static str {
        match (self, scope) {
            (Clusters, Scope::Group(_)) => "total_clusters",
            (Workers, Scope::Group(_)) => "total_workers",
            (Cores, Scope::Group(_)) => "total_cores",
            (Memory, Scope::Group(_)) => "total_memory",
            (Clusters, _) => "clusters",
            (Workers, _) => "workers",
            (Cores, _) => "cores",
            (Memory, _) => "memory",
        }
    }

    /// Its count: clusters, workers, thousandths of a core, or bytes.
    pub fn of(self, counts: &Counts) -> i64 {
        match self {
            Clusters => counts.clusters,
            Workers => counts.workers,
            Cores => counts.millicores,
            Memory => counts.memory_bytes,
        }
    }

    /// A count in the unit of the limit, for programs.
    pub fn json(self, count: i64) -> Value {
        match self {
            Cores => json!(count as f64 / 1000.0),
            Clusters | Workers | Memory => json!(count),
        }
    }

    /// The same for people.
    pub fn text(self, count: i64) -> String {
        match self {
            Cores => format!("{}", count as f64 / 1000.0),
            Memory => format_size(count.max(0) as u64),
            Clusters | Workers => count.to_string(),
        }
    }
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ceiling {
    pub field: &'static str,
    pub measure: Measure,
    /// As [`Measure::of`] counts.
    pub value: i64,
    /// Whose it is.
    pub from: Scope,
}

/// `` `cores` = 8 of user:alice ``
impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` = {} of {}", self.field, self.measure.text(self.value), self.from)
    }
}

/// The limit on what is counted under a key, if there is one.
pub(super) fn counted(limits: &Effective, key: &Scope, measure: Measure) -> Option<Ceiling> {
    let from = match (key, measure) {
        (Scope::Group(_), _) => Some(key),
        (_, Clusters) => limits.clusters.as_ref().map(|l| &l.from),
        (_, Workers) => limits.workers.as_ref().map(|l| &l.from),
        (_, Cores) => limits.cores.as_ref().map(|l| &l.from),
        (_, Memory) => limits.memory.as_ref().map(|l| &l.from),
    }?;
    let value = measure.of(&limits.ceiling(key));
    (value < measure.of(&Counts::UNBOUNDED)).then(|| Ceiling {
        field: measure.field(key),
        measure,
        value,
        from: from.clone(),
    })
}
