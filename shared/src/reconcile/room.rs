//! How many workers there is room for, and which limit says so: its name, its value, whose it is, and what is in use.

use super::draft::Draft;
use crate::model::{
    Cluster, ClusterConfig, Counts, Effective, LimitValue, Reason, ReasonCode, Scope, Usage, format_size,
};
use std::fmt::Display;

/// The most workers a cluster may have, by its configuration and its user's limits for one cluster, with the limit that says so.
pub fn worker_cap(cluster: &Cluster, limits: &Effective) -> Option<(u32, String)> {
    cap(cluster, limits).map(|cap| (cap.workers, cap.name))
}

/// The most workers a cluster can ever have, by everything that limits it: its configuration, its user's limits for one cluster and for
/// all of them together, the totals of their groups. With the limit that says so, as in "`cores` = 8 of user:alice".
pub fn allowed_workers(cluster: &Cluster, limits: &Effective) -> Option<(u32, String)> {
    let cap = cap(cluster, limits).map(|cap| (i64::from(cap.workers), cap.limit));
    let unit = cluster.config.worker_unit();
    let rooms = cluster.charged.keys.iter().flat_map(|scope| rooms(scope, limits, Counts::default(), unit));
    let tightest = cap.into_iter().chain(rooms.map(|room| (room.workers, room.limit))).min_by_key(|(max, _)| *max);
    tightest.map(|(max, limit)| (max.clamp(0, i64::from(u32::MAX)) as u32, limit))
}

/// "`cores` = 8 of user:alice".
fn phrase(field: &str, value: impl Display, whose: impl Display) -> String {
    format!("`{field}` = {value} of {whose}")
}

/// A bound on the workers of one cluster.
pub(super) struct Cap {
    /// The most workers it may have.
    pub workers: u32,
    /// "`cluster_cores` = 8 of user:alice".
    pub limit: String,
    /// Can it change while the cluster runs?
    pub by_admin: bool,
    /// "`cluster_cores` of user:alice".
    name: String,
}

impl Cap {
    fn by_options(workers: u32, field: &str, config: &ClusterConfig) -> Self {
        let value = match field {
            "cluster_max_cores" => config.cluster_max_cores.unwrap_or_default().to_string(),
            "cluster_max_memory" => format_size(config.cluster_max_memory.unwrap_or_default()),
            _ => workers.to_string(),
        };
        Cap { workers, limit: phrase(field, value, "its options"), by_admin: false, name: format!("`{field}`") }
    }

    fn by_limit<T>(limit: &LimitValue<T>, field: &str, value: impl Display, fits: f64) -> Self {
        let workers = fits.clamp(0.0, f64::from(u32::MAX)) as u32;
        let name = format!("`{field}` of {}", limit.from);
        Cap { workers, limit: phrase(field, value, &limit.from), by_admin: true, name }
    }
}

pub(super) fn cap(cluster: &Cluster, limits: &Effective) -> Option<Cap> {
    let config = &cluster.config;
    let own = config.max_workers().map(|(max, field)| Cap::by_options(max, field, config));
    let workers = limits.cluster_workers.as_ref();
    let workers = workers.map(|l| Cap::by_limit(l, "cluster_workers", l.value, l.value as f64));
    let cores = limits.cluster_cores.as_ref();
    let cores = cores.map(|l| Cap::by_limit(l, "cluster_cores", l.value, (l.value / config.worker_cores).floor()));
    let memory = limits.cluster_memory.as_ref().map(|l| {
        let fits = l.value / config.worker_memory.max(1);
        Cap::by_limit(l, "cluster_memory", format_size(l.value), fits as f64)
    });
    [own, workers, cores, memory].into_iter().flatten().min_by_key(|cap| cap.workers)
}

/// Room for workers under a limit on what all clusters of a user, or of a group, have together.
pub(super) struct Room {
    /// So many more workers; below zero where more is in use than may be.
    pub workers: i64,
    /// "`cores` = 8 of default".
    limit: String,
    /// "`cores` = 8 of default leaves no room for a worker of 2 (7 in use by user:alice)".
    pub full: String,
}

/// The room under each limit on what is counted under `scope`, of which `used` is in use.
fn rooms(scope: &Scope, limits: &Effective, used: Counts, unit: Counts) -> Vec<Room> {
    let (ceiling, none) = (limits.ceiling(scope), Counts::UNBOUNDED);
    let is_group = matches!(scope, Scope::Group(_));
    let from = |own: Option<&Scope>| own.filter(|_| !is_group).unwrap_or(scope).to_string();
    let room = |field: &str, from: String, [ceiling, none, used, each]: [i64; 4], text: &dyn Fn(i64) -> String| {
        if ceiling >= none || each <= 0 {
            return None;
        }
        let limit = phrase(&format!("{}{field}", if is_group { "total_" } else { "" }), text(ceiling), &from);
        let full = match used >= ceiling {
            true => "is reached".to_owned(),
            false => format!("leaves no room for a worker of {}", text(each)),
        };
        let whose = if from == scope.to_string() { String::new() } else { format!(" by {scope}") };
        let full = format!("{limit} {full} ({} in use{whose})", text(used));
        Some(Room { workers: (ceiling - used).div_euclid(each), limit, full })
    };
    let workers = room(
        "workers",
        from(limits.workers.as_ref().map(|l| &l.from)),
        [ceiling.workers, none.workers, used.workers, unit.workers],
        &|n| n.to_string(),
    );
    let cores = room(
        "cores",
        from(limits.cores.as_ref().map(|l| &l.from)),
        [ceiling.millicores, none.millicores, used.millicores, unit.millicores],
        &|n| (n as f64 / 1000.0).to_string(),
    );
    let memory = room(
        "memory",
        from(limits.memory.as_ref().map(|l| &l.from)),
        [ceiling.memory_bytes, none.memory_bytes, used.memory_bytes, unit.memory_bytes],
        &|n| format_size(n.max(0) as u64),
    );
    [workers, cores, memory].into_iter().flatten().collect()
}

impl Draft<'_> {
    /// The tightest of the limits on what all clusters of the user, and of each of their groups, have together.
    pub fn room_under_limits(&self, unit: Counts) -> Option<Room> {
        let delta = self.delta();
        let rooms = |usage: &Usage| rooms(&usage.scope, &self.view.limits, usage.counts + delta, unit);
        self.view.usage.iter().flat_map(|usage| rooms(&usage.value)).min_by_key(|room| room.workers)
    }

    /// Nothing is started, and why; where that may change by itself, it is looked at again after a while.
    pub fn wait_for_room(&mut self, message: String, missing: i64, again: bool) {
        let why = Reason::new(ReasonCode::WaitingForRoom, message).with("missing", missing);
        if !again {
            self.cluster.next_try = None;
            self.cluster.waiting = Some(why);
        } else {
            self.hold_back(why);
        }
    }

    /// Nothing is started, and why: looked at again after a while.
    pub fn hold_back(&mut self, why: Reason) {
        self.cluster.waiting = Some(why);
        let at = self.cluster.next_try.filter(|at| *at > self.now).unwrap_or(self.now + self.policy.room_retry_ms);
        self.cluster.next_try = Some(at);
        self.wait_until(at);
    }
}
