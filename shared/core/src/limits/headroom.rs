//! How many workers there is room for, and which limit says so: its name, its value, whose it is, and what is in use.

use super::{Ceiling, Effective, Measure, counted, of_a_cluster};
use crate::model::{Cluster, ClusterConfig, Counts, Scope, Usage, format_size};

/// The most workers a cluster can ever have, by everything that limits it: its configuration, its user's limits for one cluster and for
/// all of them together, the totals of their groups. With the limit that says so, as in "`cores` = 8 of user:alice".
pub fn allowed_workers(cluster: &Cluster, limits: &Effective) -> Option<(u32, String)> {
    let cap = cap(cluster, limits).map(|cap| (i64::from(cap.workers), cap.limit));
    let unit = cluster.config.worker_unit();
    let headrooms = cluster.reserved.keys.iter().flat_map(|scope| headrooms(scope, limits, Counts::default(), unit));
    let tightest =
        cap.into_iter().chain(headrooms.map(|headroom| (headroom.workers, headroom.limit))).min_by_key(|(max, _)| *max);
    tightest.map(|(max, limit)| (max.clamp(0, i64::from(u32::MAX)) as u32, limit))
}

/// A bound on the workers of one cluster.
pub(crate) struct Cap {
    /// The most workers it may have.
    pub workers: u32,
    /// "`cluster_cores` = 8 of user:alice".
    pub limit: String,
    /// Can it change while the cluster runs?
    pub by_admin: bool,
}

impl Cap {
    fn by_options(workers: u32, field: &str, config: &ClusterConfig) -> Self {
        let value = match field {
            "cluster_max_cores" => config.cluster_max_cores.unwrap_or_default().to_string(),
            "cluster_max_memory" => format_size(config.cluster_max_memory.unwrap_or_default()),
            _ => workers.to_string(),
        };
        Cap { workers, limit: format!("`{field}` = {value} of its options"), by_admin: false }
    }

    fn by_limit(ceiling: &Ceiling, unit: Counts) -> Self {
        let fits = ceiling.value / ceiling.measure.of(&unit).max(1);
        Cap { workers: fits.clamp(0, i64::from(u32::MAX)) as u32, limit: ceiling.to_string(), by_admin: true }
    }
}

pub(crate) fn cap(cluster: &Cluster, limits: &Effective) -> Option<Cap> {
    let config = &cluster.config;
    let own = config.max_workers().map(|(max, field)| Cap::by_options(max, field, config));
    let limits = of_a_cluster(limits);
    let by_limits = limits.iter().map(|ceiling| Cap::by_limit(ceiling, config.worker_unit()));
    own.into_iter().chain(by_limits).min_by_key(|cap| cap.workers)
}

/// Room for workers under a limit on what all clusters of a user, or of a group, have together.
pub(crate) struct Headroom {
    /// So many more workers; below zero where more is in use than may be.
    pub workers: i64,
    /// "`cores` = 8 of default".
    limit: String,
    /// "`cores` = 8 of default leaves no room for a worker of 2 (7 in use by user:alice)".
    pub full: String,
}

/// The room under each limit on what is counted under `scope`, of which `used` is in use.
fn headrooms(scope: &Scope, limits: &Effective, used: Counts, unit: Counts) -> Vec<Headroom> {
    let headroom = |ceiling: Ceiling| {
        let measure = ceiling.measure;
        let (used, each) = (measure.of(&used), measure.of(&unit));
        if each <= 0 {
            return None;
        }
        let full = match used >= ceiling.value {
            true => "is reached".to_owned(),
            false => format!("leaves no room for a worker of {}", measure.text(each)),
        };
        let whose = if ceiling.from == *scope { String::new() } else { format!(" by {scope}") };
        let limit = ceiling.to_string();
        let full = format!("{limit} {full} ({} in use{whose})", measure.text(used));
        Some(Headroom { workers: (ceiling.value - used).div_euclid(each), limit, full })
    };
    Measure::ALL.into_iter().filter_map(|measure| counted(limits, scope, measure)).filter_map(headroom).collect()
}

/// The tightest of the limits on what all clusters of the user, and of each of their groups, have together, when `delta` is added to
/// what these counters say.
pub(crate) fn tightest<'a>(
    usage: impl Iterator<Item = &'a Usage>,
    delta: Counts,
    limits: &Effective,
    unit: Counts,
) -> Option<Headroom> {
    let of = |usage: &Usage| headrooms(&usage.scope, limits, usage.counts + delta, unit);
    usage.flat_map(of).min_by_key(|headroom| headroom.workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_by_options_names_the_option_and_its_own_value() {
        let config = ClusterConfig {
            cluster_max_cores: Some(8.0),
            cluster_max_memory: Some(16 << 30),
            ..ClusterConfig::default()
        };
        let said = |field| Cap::by_options(3, field, &config).limit;
        assert_eq!(said("cluster_max_cores"), "`cluster_max_cores` = 8 of its options");
        assert_eq!(said("cluster_max_memory"), "`cluster_max_memory` = 16 GiB of its options");
        assert_eq!(said("cluster_max_workers"), "`cluster_max_workers` = 3 of its options");
    }
}
