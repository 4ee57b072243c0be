//! Sees to it that there is room on the disk for what ends clusters, and that clusters end also when there is none.

use super::loops::World;
use super::sparing::Sparing;
use faregate_core::model::ClusterName;
use faregate_core::ports::{Launcher, Store, StoreError, Wake, Wakes};
use faregate_core::reconcile::enforce::DiskUse;
use faregate_processes::Measured;
use rustix::fs::statvfs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// What clusters may take of the disk.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// Bytes that must be free for anything new.
    pub least_free: u64,
    /// Bytes that one cluster's files may take; none = a quarter of the disk.
    pub most_a_cluster: Option<u64>,
}

/// Between two measurings of clusters' files, at least; and so many times as long as one takes.
const MEASURE: Duration = Duration::from_secs(10);
const MEASURE_PAUSES: u32 = 10;
/// Clusters measured by one process.
const AT_ONCE: usize = 50;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Holds room back, carries out stops that could not be written down, and writes them down when that is possible.
pub async fn keep(world: World, least_free: u64) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sparing = Sparing::default();
    loop {
        ticks.tick().await;
        let kept = world.store.keep_room(least_free);
        for name in world.store.unrecorded_stops() {
            stop_unrecorded(&world, &name).await;
        }
        let recorded = world.store.record_pending().await;
        if (kept.is_err() || recorded.is_err()) && sparing.may_say() {
            say_trouble(kept.err(), recorded.as_ref().err());
        }
        for name in recorded.unwrap_or_default() {
            // the local queue takes everything
            let _ = world.wakes.wake(Wake::Cluster(name), 0).await;
        }
    }
}

/// A disk that is full is one trouble, and one line; a directory that cannot be written to, or a store that fails, is another.
fn say_trouble(kept: Option<io::Error>, recorded: Option<&StoreError>) {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = kept.as_ref().is_some_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded));
    match (kept, recorded) {
        (_, Some(error @ StoreError::NoRoom(_))) => tracing::warn!(%error, "disk full: nothing new starts"),
        (Some(error), _) if full => tracing::warn!(%error, "disk full: nothing new starts"),
        (kept, recorded) => {
            if let Some(error) = kept {
                tracing::warn!(%error, "disk reserve not made");
            }
            if let Some(error) = recorded {
                tracing::warn!(%error, "stops and admin actions not recorded yet");
            }
        }
    }
}

/// Measures the files of all active clusters again and again, and has judged what is found.
pub async fn measure(world: World, directory: PathBuf, most: Option<u64>) {
    loop {
        let started = Instant::now();
        if let Err(error) = measure_all(&world, &directory, most).await {
            tracing::warn!(error, "measuring files of clusters failed");
        }
        sleep((started.elapsed() * MEASURE_PAUSES).max(MEASURE)).await;
    }
}

async fn measure_all(world: &World, directory: &Path, most: Option<u64>) -> Result<(), String> {
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.store.active(cursor.as_deref(), 100).await.map_err(|error| error.to_string())?;
        let running = page.items.into_iter().map(|row| row.cluster).filter(|cluster| cluster.wants_to_run());
        names.extend(running.map(|cluster| cluster.name));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let quarter = || statvfs(directory).map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize) / 4);
    let limit = most.map_or_else(quarter, Ok).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for names in names.chunks(AT_ONCE) {
        let measured = world.launcher.measure(names).await.map_err(|error| error.to_string())?;
        found.extend(
            measured.into_iter().map(|(name, Measured { bytes, too_much })| (name, DiskUse { bytes, limit, too_much })),
        );
    }
    world.services.enforcer.disk_measured(found).await.map_err(|error| error.to_string())
}

/// Stops what runs of a cluster whose record cannot be changed. At rest, its files go: they may be what fills the disk.
async fn stop_unrecorded(world: &World, name: &ClusterName) {
    let Ok(children) = world.store.children(name).await else { return };
    let ids: Vec<_> = children.tasks.iter().map(|task| task.value.facts.id.clone()).collect();
    let Ok(found) = world.launcher.describe(&ids).await else { return };
    let mut at_rest = true;
    for facts in found.into_iter().flatten().filter(|facts| facts.state != faregate_core::model::TaskState::Stopped) {
        at_rest = false;
        if let Err(error) = world.launcher.stop(&facts.id).await {
            tracing::warn!(cluster = %name, task = %facts.id, %error, "stopping a task failed");
        }
    }
    if at_rest && let Err(error) = world.launcher.discard(name).await {
        tracing::warn!(cluster = %name, %error, "removing files of a stopped cluster failed");
    }
}
