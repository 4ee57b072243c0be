//! Limits as people read them: which field, its value, whose it is.

use super::{Effective, LimitValue};
use crate::model::{Counts, Scope, format_size};
use serde_json::{Value, json};
use std::fmt;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Measure {
    Clusters,
    Workers,
    Cores,
    Memory,
}

use Measure::{Clusters, Cores, Memory, Workers};

impl Measure {
    /// All of them.
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
pub struct Ceiling {
    /// The limit's name.
    pub field: &'static str,
    /// What it counts.
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
pub fn counted(limits: &Effective, key: &Scope, measure: Measure) -> Option<Ceiling> {
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

/// The limits on one cluster.
pub fn of_a_cluster(limits: &Effective) -> Vec<Ceiling> {
    fn named<T: Copy>(
        field: &'static str,
        measure: Measure,
        limit: &Option<LimitValue<T>>,
        count: impl Fn(T) -> i64,
    ) -> Option<Ceiling> {
        limit.as_ref().map(|l| Ceiling { field, measure, value: count(l.value), from: l.from.clone() })
    }
    let millicores = |cores: f64| (cores * 1000.0).round() as i64;
    let bytes = |memory: u64| i64::try_from(memory).unwrap_or(i64::MAX);
    let all = [
        named("cluster_workers", Workers, &limits.cluster_workers, |n| n),
        named("cluster_cores", Cores, &limits.cluster_cores, millicores),
        named("cluster_memory", Memory, &limits.cluster_memory, bytes),
    ];
    all.into_iter().flatten().collect()
}
