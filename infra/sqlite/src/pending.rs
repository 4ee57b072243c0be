//! Stops that found no room to be written down.
//!
//! They hold at once: whoever reads a cluster reads that it is to stop, and the host stops its tasks. They are written down as soon as
//! there is room, and with them what administrators did meanwhile. A gateway that is killed before forgets them; the tasks
//! are stopped by then, and the clusters end for want of a scheduler.

use super::{SqliteStore, apply, audits};
use faregate_core::model::{Audit, Cluster, ClusterName, Stored};
use faregate_core::ports::{StopRequest, Store, StoreError, TransactError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Audit records that are kept in memory at most; each is in the log too.
const AUDITS: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Unwritten>);

#[derive(Debug, Default)]
struct Unwritten {
    stops: BTreeMap<ClusterName, StopRequest>,
    audits: VecDeque<Audit>,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cluster as it is with what is not written down yet.
    pub fn apply(&self, cluster: &mut Cluster) {
        if let Some(stop) = self.lock().stops.get(&cluster.name)
            && cluster.wants_to_run()
        {
            cluster.end(stop.target, stop.reason.clone(), stop.now);
        }
    }

    pub fn is_empty(&self) -> bool {
        let unwritten = self.lock();
        unwritten.stops.is_empty() && unwritten.audits.is_empty()
    }
}

impl SqliteStore {
    /// Clusters whose stop is not written down.
    pub fn unrecorded_stops(&self) -> Vec<ClusterName> {
        self.pending.lock().stops.keys().cloned().collect()
    }

    /// Tries to write down what is not. The clusters whose stop is now on record.
    pub async fn record_pending(&self) -> Result<Vec<ClusterName>, StoreError> {
        let mut recorded = Vec::new();
        loop {
            let Some(audit) = self.pending.lock().audits.front().cloned() else { break };
            self.writer.write(true, move |c| audits::insert(c, &audit)).await?;
            self.pending.lock().audits.pop_front();
        }
        let stops: Vec<StopRequest> = self.pending.lock().stops.values().cloned().collect();
        for stop in stops {
            let request = stop.clone();
            match self.writer.write(true, move |c| apply::stop(c, &request)).await {
                Ok(_) => {
                    self.pending.lock().stops.remove(&stop.name);
                    tracing::info!(cluster = %stop.name, reason = stop.reason.message, "disk has room again: stopped cluster recorded");
                    recorded.push(stop.name);
                }
                Err(TransactError::Failed(error)) => return Err(error),
                Err(_) => {} // the next time
            }
        }
        Ok(recorded)
    }

    /// What [`Store::stop`] does where nothing can be written.
    pub(super) async fn stop_unrecorded(
        &self,
        request: &StopRequest,
    ) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        let Some(mut stored) = self.cluster(&request.name).await? else { return Ok(None) };
        if request.user.as_ref().is_some_and(|user| *user != stored.value.user) {
            return Ok(None);
        }
        if !stored.value.wants_to_run() {
            return Ok(Some((stored, false)));
        }
        stored.value.end(request.target, request.reason.clone(), request.now);
        self.pending.lock().stops.insert(request.name.clone(), request.clone());
        tracing::warn!(cluster = %request.name, "disk full: cluster stopped, recorded when there is room");
        Ok(Some((stored, true)))
    }

    /// Keeps an audit record until there is room for it.
    pub(super) fn audit_unrecorded(&self, audit: &Audit) {
        tracing::warn!(
            who = audit.who, action = audit.action, target = audit.target, why = audit.why, details = %audit.details,
            "disk full: admin action, recorded when there is room"
        );
        let mut unwritten = self.pending.lock();
        if unwritten.audits.len() < AUDITS {
            unwritten.audits.push_back(audit.clone());
        }
    }
}
