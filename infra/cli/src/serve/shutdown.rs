//! How a gateway ends: clusters first, while everything that they need for it still serves.

use super::loops::World;
use super::sparing::Sparing;
use faregate_core::model::{Reason, ReasonCode};
use faregate_core::ports::Launcher;
use faregate_sqlite::SqliteStore;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

/// Between two looks at what still runs.
const LOOK: Duration = Duration::from_millis(100);
/// Clusters have this time to come to rest, beyond what their processes are given to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// The store has this time to be written back.
const CLOSING: Duration = Duration::from_secs(5);

/// SIGTERM and SIGINT.
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// From now on these signals end nothing by themselves.
    pub fn listen() -> io::Result<Self> {
        Ok(Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! { _ = self.term.recv() => {}, _ = self.int.recv() => {} }
    }
}

/// By then a gateway has ended that is told to now; `stop_time` is what one process may take to stop.
pub fn deadline(stop_time: Duration) -> Instant {
    // a process that ignores its first signals is asked again in another round
    Instant::now() + stop_time * 2 + PATIENCE
}

/// Writes the store's `-wal` back into its file, so that a copy of the file alone is whole. A store that hangs is left as it is.
pub async fn close_store(store: &SqliteStore, deadline: Instant) {
    let closed = match timeout_at(deadline.min(Instant::now() + CLOSING), store.close()).await {
        Ok(closed) => closed.map_err(|error| error.to_string()),
        Err(_) => Err("the store does not answer".to_owned()),
    };
    if let Err(error) = closed {
        tracing::warn!(error, "store not written back: a copy of it needs its -wal");
    }
}

/// Stops every cluster and waits until all are at rest. How many are left.
///
/// Ends by its deadline whatever the store says. Of a store that goes on failing nothing is waited for: tasks are stopped without it,
/// and the next start finds them at rest.
pub async fn stop_clusters(world: &World, deadline: Instant) -> usize {
    let reason = Reason::new(ReasonCode::GatewayShutdown, "the gateway is shutting down");
    let mut failing: Option<Instant> = None;
    let mut sparing = Sparing::default();
    loop {
        let stopped = match timeout_at(deadline, world.services.gateway.clusters.stop_all(&reason)).await {
            Ok(stopped) => stopped.map_err(|error| error.to_string()),
            Err(_) => Err("the store does not answer".to_owned()),
        };
        let late = Instant::now() >= deadline;
        match stopped {
            Ok(0) => return 0,
            Ok(left) if late => return left,
            // on a full disk the records stay as they are, and there is nothing to wait for once all tasks are gone
            Ok(left) if !world.store.unrecorded_stops().is_empty() && stop_tasks(world).await == 0 => return left,
            Ok(_) => failing = None,
            Err(error) => {
                if sparing.may_say() {
                    tracing::error!(error, "stopping clusters failed; it is tried again until the deadline");
                }
                let since = *failing.get_or_insert_with(Instant::now);
                let left = if since.elapsed() > FAILING { stop_tasks(world).await } else { 1 };
                if late || left == 0 {
                    // what the store holds is not known
                    return left.max(1);
                }
            }
        }
        sleep(LOOK).await;
    }
}

/// A store that fails for so long is done without.
const FAILING: Duration = Duration::from_secs(2);

/// Stops every task that runs, by the launcher alone. How many there are.
async fn stop_tasks(world: &World) -> usize {
    let (mut cursor, mut running) = (None::<String>, 0);
    loop {
        let Ok(page) = world.launcher.list(cursor.as_deref()).await else { return running.max(1) };
        for task in page.tasks {
            running += 1;
            if let Err(error) = world.launcher.stop(&task.id).await {
                tracing::warn!(task = %task.id, %error, "stopping a task failed");
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return running;
        }
    }
}
