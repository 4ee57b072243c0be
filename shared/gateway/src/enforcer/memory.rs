//! What schedulers answered, remembered from run to run. May be lost: then all are asked again.

use super::Checked;
use faregate_core::model::clock::is_ahead;
use faregate_core::model::{ClusterName, Ms};
use faregate_core::ports::{Answer, SchedulerError};
use faregate_core::reconcile::enforce::Heard;
use std::collections::{HashMap, HashSet};

/// Of each cluster that has a timeout.
#[derive(Default)]
pub(in super::super) struct Memory {
    known: HashMap<ClusterName, Known>,
    /// Silent clusters, and when each was asked for its health.
    asked: HashMap<ClusterName, Ms>,
}

#[derive(Clone, Copy)]
struct Known {
    /// When it was last asked, or first seen: a delay counts from here at the earliest.
    since: Ms,
    heard: Option<Heard>,
    /// The last question was not answered.
    hangs: bool,
}

/// When a cluster is to be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    /// Its answer can matter from this moment on.
    pub due: Ms,
    /// A delay is reckoned from here: it was not asked since, though its answer could have mattered.
    pub delay_from: Ms,
    /// The last question was not answered.
    pub hangs: bool,
}

impl Memory {
    /// When it is this cluster's turn; none when it has no timeout.
    pub(super) fn turn(&mut self, checked: &Checked, now: Ms, pause: Ms) -> Option<Turn> {
        let cluster = &checked.cluster;
        let timeouts = &checked.verdict.timeouts;
        let running_at = cluster.running_at.unwrap_or(cluster.created_at);
        timeouts.due(running_at, None)?;
        let fresh = Known { since: now, heard: None, hangs: false };
        let known = self.known.entry(cluster.name.clone()).or_insert(fresh);
        if is_ahead(known.since, now) {
            *known = fresh;
        }
        let known = *known;
        let due = timeouts.due(running_at, known.heard.as_ref())?;
        let delay_from = due.max(known.since);
        // who did not answer is not asked again at once: every call waits for all of its answers
        let due = if known.hangs { due.max(known.since + pause) } else { due };
        Some(Turn { due, delay_from, hangs: known.hangs })
    }

    /// Notes an answer to a question that was asked at `at`. No answer: it stays due.
    pub fn note(&mut self, name: &ClusterName, at: Ms, answer: &Result<Answer, SchedulerError>) {
        if let Some(known) = self.known.get_mut(name) {
            known.since = at;
            known.hangs = matches!(answer, Err(SchedulerError::Unanswered(_)));
            if let Ok(Answer::Idle(said)) = answer {
                known.heard = Some(Heard { at, said: *said });
            }
        }
    }

    /// Was a silent cluster asked for its health so recently? Its scheduler may be busy for long: nobody asks it without a pause.
    pub(super) fn was_asked(&self, name: &ClusterName, now: Ms, pause: Ms) -> bool {
        self.asked.get(name).is_some_and(|at| (0..pause).contains(&(now - at)))
    }

    /// A silent cluster was asked for its health.
    pub(super) fn note_asked(&mut self, name: &ClusterName, at: Ms) {
        self.asked.insert(name.clone(), at);
    }

    /// Forgets the clusters that are no longer active.
    pub(super) fn keep(&mut self, checked: &[Checked]) {
        if !self.asked.is_empty() {
            let silent = checked.iter().filter(|c| c.verdict.silent_ms.is_some());
            let silent: HashSet<&ClusterName> = silent.map(|c| &c.cluster.name).collect();
            self.asked.retain(|name, _| silent.contains(name));
        }
        if self.known.len() > checked.len() / 2 {
            let active: HashSet<&ClusterName> = checked.iter().map(|c| &c.cluster.name).collect();
            self.known.retain(|name, _| active.contains(name));
        }
    }
}
