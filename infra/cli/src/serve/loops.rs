//! What runs beside the API for as long as the gateway does: the reconciler's workers, the launcher's events, enforcement runs, orphan scans.

use super::data_dir::DataDir;
use super::room;
use super::sparing::Sparing;
use crate::wakes::LocalWakes;
use faregate_core::model::{ClusterName, Ms, TaskFacts};
use faregate_core::ports::{Store, Wake, Wakes};
use faregate_gateway::{Services, TaskEvents};
use faregate_machine::Machine;
use faregate_processes::ProcessLauncher;
use faregate_sqlite::SqliteStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Wakes handled at once.
const WORKERS: usize = 4;
/// Between two orphan scans.
const ORPHAN_SCAN: Duration = Duration::from_secs(60);
/// Between two removals of the files of clusters whose records are forgotten.
const TIDY: Duration = Duration::from_secs(600);
/// Tries of one event; what is still not taken in then, the orphan scan finds.
const EVENT_TRIES: u32 = 8;

/// What the loops work with.
#[derive(Clone)]
pub struct World {
    /// The core.
    pub services: Services,
    /// The queue.
    pub wakes: Arc<LocalWakes>,
    /// Records.
    pub store: Arc<SqliteStore>,
    /// Tasks.
    pub launcher: Arc<ProcessLauncher>,
    /// Its clock.
    pub machine: Arc<Machine>,
}

impl World {
    /// How many clusters are not at rest, as far as the store can say.
    pub async fn active(&self) -> usize {
        let rows = self.store.active(None, 1000).await.map_or_else(|_| Vec::new(), |page| page.items);
        rows.iter().filter(|row| !row.cluster.status.is_ended()).count()
    }
}

/// Starts all of them; they end when the set is dropped.
pub fn start(world: &World, data: &DataDir, check_period: Duration, disk: room::Disk, since: Ms) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    for _ in 0..WORKERS {
        loops.spawn(reconcile(world.clone()));
    }
    // listening before the first look, so that nothing falls in between
    loops.spawn(take_events(world.services.task_events.clone(), world.launcher.events()));
    loops.spawn(enforce(world.clone(), check_period, since));
    loops.spawn(scan_orphans(world.clone()));
    loops.spawn(tidy(world.clone(), data.file("clusters")));
    loops.spawn(room::keep(world.clone(), disk.least_free));
    loops.spawn(room::measure(world.clone(), data.path().to_owned(), disk.most_a_cluster));
    loops
}

/// Takes one wake after the other. Each is handled in a task of its own, so that a panic is a failure like others.
async fn reconcile(world: World) {
    loop {
        let wake = world.wakes.next().await;
        let handled = tokio::spawn({
            let (reconciler, wake) = (world.services.reconciler.clone(), wake.clone());
            async move { reconciler.reconcile(&wake).await }
        });
        let well = match handled.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(?wake, error = faregate_core::chain(&error), "reconcile failed; it is tried again");
                false
            }
            Err(panic) => {
                tracing::error!(?wake, %panic, "reconcile panicked; it is tried again");
                false
            }
        };
        world.wakes.done(wake, well);
    }
}

async fn take_events(task_events: Arc<TaskEvents>, mut events: mpsc::UnboundedReceiver<TaskFacts>) {
    while let Some(facts) = events.recv().await {
        let mut tries = 0;
        while let Err(error) = task_events.apply(&facts).await {
            tries += 1;
            if tries == EVENT_TRIES {
                tracing::error!(task = %facts.id, %error, "task event failed; the orphan scan will find what it was about");
                break;
            }
            sleep(Duration::from_millis(50 << tries)).await;
        }
    }
}

/// Looks at everything that is active: at once, then regularly, and whenever somebody else has written to the store.
async fn enforce(world: World, period: Duration, since: Ms) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sparing = Sparing::default();
    // what was due before this start may lie ahead by now: the clock may have been set meanwhile
    if let Err(error) = world.services.enforcer.wake_active().await {
        tracing::error!(%error, "reconcile after the start failed");
    }
    loop {
        tokio::select! { _ = ticks.tick() => {}, () = foreign_change(&world.store) => {} }
        look_at_the_clock(&world).await;
        match world.services.enforcer.enforce(since).await {
            Ok(report) => tracing::trace!(?report, "enforcement run"),
            Err(error) if sparing.may_say() => tracing::error!(%error, "enforcement run failed"),
            Err(error) => tracing::debug!(%error, "enforcement run failed"),
        }
    }
}

/// Once it was set, what counts from stored moments is moved along with it, and everything is looked at again.
async fn look_at_the_clock(world: &World) {
    let Some(by) = world.machine.clock_was_set() else { return };
    match world.services.enforcer.clock_was_set(by).await {
        Ok(clusters) => tracing::warn!(by_ms = by, clusters, "system clock set"),
        Err(error) => tracing::error!(by_ms = by, %error, "system clock set; clusters were not told"),
    }
}

/// A store that cannot say whether it has changed has not.
async fn foreign_change(store: &SqliteStore) {
    if let Err(error) = store.foreign_change().await {
        tracing::error!(%error, "store watch failed");
        std::future::pending::<()>().await;
    }
}

/// Compares tasks and records both ways, and counters with what they count.
async fn scan_orphans(world: World) {
    let mut ticks = interval(ORPHAN_SCAN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut recounts = None;
    loop {
        ticks.tick().await;
        // the local queue takes everything
        let _ = world.wakes.wake(Wake::OrphanScan { cursor: None }, 0).await;
        match world.services.enforcer.recount_step(recounts.take()).await {
            Ok((_, rest)) => recounts = rest,
            Err(error) => tracing::error!(%error, "recount failed"),
        }
    }
}

/// Removes files and logs of clusters whose records are forgotten.
async fn tidy(world: World, clusters: std::path::PathBuf) {
    let mut ticks = interval(TIDY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Ok(entries) = std::fs::read_dir(&clusters) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<ClusterName>().ok());
        for name in names {
            // a record is there before its files are: without one, it is past
            if !matches!(world.store.cluster(&name).await, Ok(None)) {
                continue;
            }
            if let Err(error) = world.launcher.forget(&name).await {
                tracing::warn!(cluster = %name, %error, "removing files of a forgotten cluster failed");
            }
        }
    }
}
