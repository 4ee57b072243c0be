//! What a cluster reserves of its limits, derived from its records: what was reserved before is subtracted, and the difference is
//! written. So a counter cannot drift by a step that was forgotten or done twice.

use crate::model::{Cluster, Counts, Launch, LaunchId, LaunchState, Task};
use std::collections::HashMap;

/// What the workers of a cluster reserve: an open launch all that it may bring, an accepted one the tasks that are not yet settled.
/// Orphans were never reserved for.
pub fn reserved_by_workers<'a>(
    launches: impl IntoIterator<Item = &'a Launch>,
    tasks: impl IntoIterator<Item = &'a Task>,
) -> Counts {
    let mut unsettled: HashMap<&LaunchId, i64> = HashMap::new();
    for task in tasks.into_iter().filter(|t| !t.settled && !t.orphan) {
        *unsettled.entry(&task.facts.launch).or_default() += 1;
    }
    let units = |launch: &Launch| match launch.state {
        LaunchState::Pending | LaunchState::Expired | LaunchState::Cancelled => i64::from(launch.spec.count),
        LaunchState::Accepted => unsettled.get(&launch.id).copied().unwrap_or_default(),
        LaunchState::Failed | LaunchState::NotAccepted => 0,
    };
    launches.into_iter().fold(Counts::default(), |sum, launch| sum + launch.unit * units(launch))
}

/// What is to be reserved for a cluster: its workers, and the cluster itself until it is at rest.
pub(crate) fn reserved<'a>(
    cluster: &Cluster,
    launches: impl IntoIterator<Item = &'a Launch>,
    tasks: impl IntoIterator<Item = &'a Task>,
) -> Counts {
    let workers = reserved_by_workers(launches, tasks);
    if cluster.status.is_ended() { workers } else { workers + Counts::CLUSTER }
}
