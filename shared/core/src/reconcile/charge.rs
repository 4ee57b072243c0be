//! What a cluster counts for, derived from its records: what was counted before is subtracted, and the difference is written. So a
//! counter cannot drift by a step that was forgotten or done twice.

use super::draft::Draft;
use crate::model::{Counts, Launch, LaunchId, LaunchState, Task};
use std::collections::HashMap;

/// What the workers of a cluster count for: of an open launch all that it may bring, of an accepted one the tasks that are not yet
/// settled. Strays were never charged.
pub fn charge<'a>(launches: impl IntoIterator<Item = &'a Launch>, tasks: impl IntoIterator<Item = &'a Task>) -> Counts {
    let mut unsettled: HashMap<&LaunchId, i64> = HashMap::new();
    for task in tasks.into_iter().filter(|t| !t.settled && !t.stray) {
        *unsettled.entry(&task.facts.launch).or_default() += 1;
    }
    let units = |launch: &Launch| match launch.state {
        LaunchState::Pending | LaunchState::Expired | LaunchState::Cancelled => i64::from(launch.spec.count),
        LaunchState::Accepted => unsettled.get(&launch.id).copied().unwrap_or_default(),
        LaunchState::Failed | LaunchState::NotAccepted => 0,
    };
    launches.into_iter().fold(Counts::default(), |sum, launch| sum + launch.unit * units(launch))
}

impl Draft<'_> {
    /// What is to be counted for the cluster: its workers, and the cluster itself until it is at rest.
    pub fn charged(&self) -> Counts {
        let workers = charge(self.launches.iter().map(|l| &l.now), self.tasks.iter().map(|t| &t.now));
        if self.cluster.status.is_ended() { workers } else { workers + Counts::CLUSTER }
    }

    /// What this decision adds to the counters.
    pub fn delta(&self) -> Counts {
        self.charged() - self.view.cluster.value.charged.counts
    }

    /// Does this decision reserve anything new? Only that is held against a ceiling: what is so already is counted in any case.
    pub fn reserves(&self) -> bool {
        self.launches.iter().any(|l| l.before.is_none() && !l.now.unit.is_zero())
    }
}
