//! Routes, remembered for a moment: a cluster's many connections cost few reads, and names that nobody has cost few as well.
//!
//! No cache of a library: those forget by use, and a flood of made-up names would push out a route that was read once.
//! Here routes of now go last, which a test floods.

use async_trait::async_trait;
use faregate_core::model::ClusterName;
use faregate_core::ports::Route;
use faregate_dynamodb::TableRoutes;
use faregate_proxy::RouteSource;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A route is used for so long without being read again.
const KNOWN: Duration = Duration::from_secs(5);
/// That a cluster has no route is believed for so long: it may be there in a moment.
const UNKNOWN: Duration = Duration::from_secs(1);
/// Between two questions about a cluster, while questions fail.
const RETRY: Duration = Duration::from_secs(1);
/// For so long the last answer stands in for one that cannot be had. No longer: an address may be another cluster's by then.
const STALE: Duration = Duration::from_secs(60);
/// Clusters that are remembered. A name and its route take some 300 bytes.
const CAPACITY: usize = 10_000;

/// Who knows routes.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Where this cluster is now; none when it is nowhere. An error is a sentence.
    async fn lookup(&self, name: &ClusterName) -> Result<Option<Route>, String>;
}

#[async_trait]
impl Lookup for TableRoutes {
    async fn lookup(&self, name: &ClusterName) -> Result<Option<Route>, String> {
        self.lookup(name).await.map_err(|error| error.to_string())
    }
}

/// Routes of a [`Lookup`], remembered.
pub struct CachedRoutes<L> {
    source: L,
    entries: Mutex<HashMap<ClusterName, Arc<Entry>>>,
}

/// Locked while somebody asks, so that everybody else waits for that answer.
type Entry = tokio::sync::Mutex<Known>;

/// What is known of a cluster.
#[derive(Default)]
struct Known {
    /// The last answer and when it was given.
    answer: Option<(Option<Route>, Instant)>,
    /// When a question last failed, since that answer.
    failed: Option<Instant>,
}

impl Known {
    /// What may be answered without a question.
    fn fresh(&self) -> Option<Result<Option<Route>, String>> {
        if self.failed.is_some_and(|at| at.elapsed() < RETRY) {
            return Some(self.stale());
        }
        let (route, at) = self.answer.as_ref()?;
        let keep = if route.is_some() { KNOWN } else { UNKNOWN };
        (at.elapsed() < keep).then(|| Ok(route.clone()))
    }

    /// What is answered when questions fail.
    fn stale(&self) -> Result<Option<Route>, String> {
        let last = self.answer.as_ref().filter(|(_, at)| at.elapsed() < STALE);
        last.map(|(route, _)| route.clone()).ok_or_else(|| "the table cannot be read at present".to_owned())
    }
}

impl<L> CachedRoutes<L> {
    /// Remembers nothing yet.
    pub fn new(source: L) -> Self {
        CachedRoutes { source, entries: Mutex::default() }
    }

    fn entry(&self, name: &ClusterName) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(name) {
            return entry.clone();
        }
        if entries.len() >= CAPACITY {
            make_room(&mut entries);
        }
        entries.entry(name.clone()).or_default().clone()
    }
}

/// Forgets what is worth nothing: everything but routes of now. If that is not enough, everything.
fn make_room(entries: &mut HashMap<ClusterName, Arc<Entry>>) {
    entries.retain(|_, entry| entry.try_lock().is_ok_and(|known| matches!(known.fresh(), Some(Ok(Some(_))))));
    if entries.len() >= CAPACITY {
        entries.clear();
    }
}

#[async_trait]
impl<L: Lookup> RouteSource for CachedRoutes<L> {
    async fn lookup(&self, name: &ClusterName) -> Result<Option<Route>, String> {
        let entry = self.entry(name);
        let mut known = entry.lock().await;
        if let Some(route) = known.fresh() {
            return route;
        }
        match self.source.lookup(name).await {
            Ok(route) => {
                *known = Known { answer: Some((route.clone(), Instant::now())), failed: None };
                Ok(route)
            }
            Err(error) => {
                known.failed = Some(Instant::now());
                let route = known.stale();
                tracing::warn!(cluster = %name, error, stands_in = route.is_ok(), "route not readable");
                route
            }
        }
    }
}

#[cfg(test)]
mod tests;
