//! Places for connections to schedulers: bounded in all, and so that a scheduler that hangs costs only those who ask it.

use faregate_core::model::ClusterName;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Connections at once to all schedulers that answered last time …
const ANSWERING: usize = 100;
/// … to all that did not …
const HANGING: usize = 20;
/// … and to one.
const TO_ONE: usize = 4;
/// Clusters remembered without a connection; when there are more, those are forgotten.
const REMEMBERED: usize = 4_096;

/// The places of one purpose.
#[derive(Debug)]
pub struct Places {
    answering: Arc<Semaphore>,
    hanging: Arc<Semaphore>,
    clusters: Mutex<HashMap<ClusterName, Arc<OfOne>>>,
}

/// What one cluster's scheduler has.
#[derive(Debug)]
struct OfOne {
    places: Arc<Semaphore>,
    /// It left the last question unanswered.
    hangs: AtomicBool,
}

/// A place that is held.
#[derive(Debug)]
pub struct Place {
    cluster: Arc<OfOne>,
    _held: [OwnedSemaphorePermit; 2],
}

impl Default for Places {
    fn default() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Places { answering: semaphore(ANSWERING), hanging: semaphore(HANGING), clusters: Mutex::default() }
    }
}

impl Places {
    /// Waits for a place: first for one of the cluster's own, so that nobody waits for it who asks another.
    pub async fn take(&self, cluster: &ClusterName) -> Result<Place, AcquireError> {
        let cluster = self.of(cluster);
        let own = cluster.places.clone().acquire_owned().await?;
        let all = if cluster.hangs.load(Ordering::Relaxed) { &self.hanging } else { &self.answering };
        let all = all.clone().acquire_owned().await?;
        Ok(Place { cluster, _held: [own, all] })
    }

    fn of(&self, cluster: &ClusterName) -> Arc<OfOne> {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        if clusters.len() >= REMEMBERED {
            clusters.retain(|_, of_one| Arc::strong_count(of_one) > 1);
        }
        let fresh = || Arc::new(OfOne { places: Arc::new(Semaphore::new(TO_ONE)), hangs: AtomicBool::new(false) });
        clusters.entry(cluster.clone()).or_insert_with(fresh).clone()
    }
}

impl Place {
    /// Whether the question was answered decides among whom the next one waits.
    pub fn answered(&self, answered: bool) {
        self.cluster.hangs.store(!answered, Ordering::Relaxed);
    }
}
