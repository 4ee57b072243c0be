//! Adopting what runs, and noticing when it ends.

use super::identity::Identities;
use super::identity::Separation;
use super::output::take_over;
use super::processes::{Process, boot};
use super::records::{LaunchRecord, load};
use super::trash::Trash;
use super::{Inner, Settings, durable, lock, modes};
use faregate_core::model::{TaskFacts, TaskId, TaskState};
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use std::{fs, io};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

/// Between two looks at something that gives no notice.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

impl Inner {
    /// Reads what is on record, and adopts what runs.
    pub(super) fn open(settings: Settings, identities: Identities) -> io::Result<Arc<Inner>> {
        durable::directory(&settings.clusters(), settings.open_mode())?;
        let trash = Trash::open(settings.trash(), settings.remover.clone())?;
        let inner = Arc::new(Inner {
            settings,
            identities,
            trash,
            boot: boot()?,
            index: Mutex::default(),
            listeners: Mutex::default(),
            stopping: Mutex::new(HashSet::new()),
            background: Mutex::new(JoinSet::new()),
        });
        for record in inner.records()? {
            // What was waiting for its order when the last launcher was killed is about to go: it must not be seen first.
            inner.never_ran(&record)?;
            lock(&inner.index).add(&record, &inner.boot);
        }
        inner.adopt()?;
        if let Separation::Confined(_) = inner.settings.separation {
            inner.in_background(modes::keep(Arc::downgrade(&inner)));
        }
        Ok(inner)
    }

    fn records(&self) -> io::Result<Vec<LaunchRecord>> {
        let mut records = Vec::new();
        for cluster in fs::read_dir(self.settings.clusters())? {
            let launches = match fs::read_dir(cluster?.path().join("launches")) {
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
                other => other?,
            };
            for launch in launches {
                let path = launch?.path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    records.extend(load::<LaunchRecord>(&path)?);
                }
            }
        }
        Ok(records)
    }

    fn adopt(self: &Arc<Self>) -> io::Result<()> {
        let known: Vec<_> = lock(&self.index).tasks.iter().map(|(id, entry)| (id.clone(), entry.supervisor)).collect();
        for (id, supervisor) in known {
            let running = self.facts(&id)?.is_some_and(|facts| facts.state != TaskState::Stopped);
            if let (true, Some(supervisor)) = (running, supervisor) {
                self.watch(id, supervisor, None);
            }
        }
        Ok(())
    }

    /// Announces the task's end, when it comes. `child`: the supervisor, if it is a child of this process.
    pub(super) fn watch(self: &Arc<Self>, id: TaskId, supervisor: Process, child: Option<Child>) {
        self.in_background(wait_for_end(Arc::downgrade(self), id, supervisor, child));
    }

    pub(super) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = lock(&self.background);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }
}

async fn wait_for_end(inner: Weak<Inner>, id: TaskId, supervisor: Process, child: Option<Child>) {
    gone(&supervisor).await;
    if let Some(mut child) = child {
        // It has ended: this returns at once, and buries it.
        let _ = child.wait();
    }
    let mut read_on = false;
    while let Some(inner) = inner.upgrade() {
        match facts(&inner, &id).await {
            Ok(Some(facts)) if facts.state == TaskState::Stopped => return inner.announce(&facts),
            // its supervisor was killed, and the rest goes on
            Ok(Some(_)) => {
                if !std::mem::replace(&mut read_on, true) {
                    go_on_reading(&inner, &id).await;
                }
            }
            Ok(None) => return, // never started
            Err(error) => tracing::warn!(task = %id, %error, "task watch failed"),
        }
        drop(inner);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What a killed supervisor no longer reads is read from here on: else those who print would wait for ever.
async fn go_on_reading(inner: &Arc<Inner>, id: &TaskId) {
    let Some(entry) = lock(&inner.index).tasks.get(id).cloned() else { return };
    let (dir, name) = (inner.dir(&entry.cluster).task(id), id.clone());
    let taken = tokio::task::spawn_blocking(move || take_over(&dir, &entry.members(&name)?));
    match taken.await.map_err(io::Error::other).flatten() {
        Ok(None) => {}
        Ok(Some(_)) => tracing::warn!(task = %id, "supervisor killed; the gateway reads its task's output"),
        Err(error) => tracing::warn!(task = %id, %error, "supervisor killed; its task's output is not read"),
    }
}

/// [`Inner::facts`], on a thread that may wait.
pub(super) async fn facts(inner: &Arc<Inner>, id: &TaskId) -> io::Result<Option<TaskFacts>> {
    let (inner, id) = (inner.clone(), id.clone());
    tokio::task::spawn_blocking(move || inner.facts(&id)).await.map_err(io::Error::other)?
}

/// Waits until a process has ended.
async fn gone(process: &Process) {
    loop {
        let ended = match process.open() {
            Ok(None) => return,
            Ok(Some(handle)) => readable(handle).await,
            Err(error) => Err(error),
        };
        if ended.is_err() {
            tokio::time::sleep(LOOK_AGAIN).await; // no file descriptor left, most likely
        }
    }
}

#[expect(deprecated, reason = "its successor is unsafe; an owned descriptor, as here, is what both ask for")]
async fn readable(handle: OwnedFd) -> io::Result<()> {
    AsyncFd::with_interest(handle, tokio::io::Interest::READABLE)?.readable().await.map(drop)
}
