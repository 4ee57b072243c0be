//! Files of users that are to go.
//!
//! They are put aside at once, by a rename into `<data>/trash`, and removed later by a process of their own ([`process`]): what a
//! user has made there decides nothing but how long that takes. What is left is tried again with growing pauses, and at the next start.

mod process;
mod tree;

pub use process::{DEADLINE, remove};
pub use tree::Report;

use super::durable;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, openat};
use rustix::io::retry_on_intr;
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Removals at once.
const AT_ONCE: usize = 2;
/// Before what could not be removed is tried again: the first time, and at most.
const AGAIN: Duration = Duration::from_secs(60);
const AGAIN_AT_MOST: Duration = Duration::from_secs(6 * 60 * 60);
/// What a process may need beyond its own deadline.
const GRACE: Duration = Duration::from_secs(30);

/// The directory, and who empties it. Dropped, it kills what removes.
pub struct Trash {
    directory: PathBuf,
    program: Vec<OsString>,
    slots: Arc<Semaphore>,
    /// What is being seen to, by name.
    known: Mutex<HashSet<OsString>>,
    /// First tries that have not ended.
    open: AtomicUsize,
    changed: Notify,
    work: Mutex<JoinSet<()>>,
}

impl Trash {
    /// Makes the directory if need be. `program`: what reaches [`remove`]; the path is appended.
    pub fn open(directory: PathBuf, program: Vec<OsString>) -> io::Result<Arc<Trash>> {
        durable::directory(&directory, 0o700)?;
        let trash = Arc::new(Trash {
            directory,
            program,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            known: Mutex::default(),
            open: AtomicUsize::new(0),
            changed: Notify::new(),
            work: Mutex::default(),
        });
        for entry in fs::read_dir(&trash.directory)?.flatten() {
            trash.see_to(entry.file_name());
        }
        Ok(trash)
    }

    /// Puts a directory aside and has it removed. Never fails: what could not be put aside is said, and stays where it is.
    pub fn take(self: &Arc<Self>, path: &Path, label: &str) {
        let name = OsString::from(format!("{label}.{:016x}", unguessable()));
        match put_aside(path, &self.directory.join(&name)) {
            Ok(true) => self.see_to(name),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "moving files to the trash failed; they are removed with the cluster's records");
            }
        }
    }

    /// Waits until everything was tried once, and no longer than this.
    pub async fn settle(&self, patience: Duration) {
        let all_tried = async {
            loop {
                let changed = self.changed.notified();
                if self.open.load(Ordering::SeqCst) == 0 {
                    return;
                }
                changed.await;
            }
        };
        if timeout(patience, all_tried).await.is_err() {
            tracing::info!(
                left = self.open.load(Ordering::SeqCst),
                "removing files of ended clusters continues at the next start"
            );
        }
        let mut work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        work.shutdown().await;
    }

    fn see_to(self: &Arc<Self>, name: OsString) {
        if !self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            return;
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        let job = Job { path: self.directory.join(&name), program: self.program.clone(), slots: self.slots.clone() };
        let trash = Arc::downgrade(self);
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        while work.try_join_next().is_some() {}
        work.spawn(async move {
            let mut tries = 0;
            while !job.try_once(tries).await {
                if let (0, Some(trash)) = (tries, trash.upgrade()) {
                    trash.tried();
                }
                sleep(pause(tries)).await;
                tries += 1;
            }
            if let Some(trash) = trash.upgrade() {
                trash.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                if tries == 0 {
                    trash.tried();
                }
            }
        });
    }

    fn tried(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }
}

fn pause(tries: u32) -> Duration {
    AGAIN.saturating_mul(1 << tries.min(12)).min(AGAIN_AT_MOST)
}

/// One directory that is to go.
struct Job {
    path: PathBuf,
    program: Vec<OsString>,
    slots: Arc<Semaphore>,
}

impl Job {
    /// True when it is gone. What takes longer than one process may run is given more of them, as long as they get on.
    async fn try_once(&self, tries: u32) -> bool {
        loop {
            let report = {
                let _slot = self.slots.acquire().await;
                self.run().await
            };
            let path = self.path.display();
            match report {
                Ok(report) if report.failed == 0 && !report.late => match fs::remove_dir(&self.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!(%path, %error, again_in_s = pause(tries).as_secs(), "removing files of an ended cluster failed");
                        return false;
                    }
                    _ => {
                        tracing::debug!(%path, removed = report.removed, "files of an ended cluster were removed");
                        return true;
                    }
                },
                Ok(report) if report.late && report.removed > 0 => {
                    tracing::info!(%path, removed = report.removed, "removing files of an ended cluster continues");
                }
                Ok(report) => {
                    let (left, first) = (report.failed, report.first.unwrap_or_else(|| "out of time".to_owned()));
                    tracing::warn!(%path, left, first, again_in_s = pause(tries).as_secs(), "removing files of an ended cluster failed");
                    return false;
                }
                Err(error) => {
                    tracing::warn!(%path, %error, again_in_s = pause(tries).as_secs(), "removing files of an ended cluster failed");
                    return false;
                }
            }
        }
    }

    async fn run(&self) -> io::Result<Report> {
        if !fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_dir()) {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(Report::default()),
            };
        }
        let (program, arguments) =
            self.program.split_first().ok_or_else(|| io::Error::other("no program that removes is configured"))?;
        let mut command = tokio::process::Command::new(program);
        command.arg0("faregate").args(arguments).arg(&self.path).env_clear().kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let output = timeout(DEADLINE + GRACE, command.spawn()?.wait_with_output()).await;
        let output = output.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the removal did not end"))??;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| io::Error::other(format!("the removal ended with {}", output.status)))
    }
}

/// For names that no user can have taken before.
fn unguessable() -> u64 {
    let mut bytes = [0; 8];
    let filled = retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()));
    assert_eq!(filled, Ok(bytes.len()), "the operating system always has randomness");
    u64::from_ne_bytes(bytes)
}

/// False when there is nothing at `from`.
fn put_aside(from: &Path, to: &Path) -> io::Result<bool> {
    let renamed = match fs::rename(from, to) {
        // to move a directory its entry `..` is written: its owner may have taken the right to it away
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let handle = openat(CWD, from, flags, Mode::empty())?;
            chmodat(CWD, format!("/proc/self/fd/{}", handle.as_raw_fd()), Mode::RWXU, AtFlags::empty())?;
            fs::rename(from, to)
        }
        other => other,
    };
    match renamed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
    }
}

/// Removes a tree of files in this process, never recursively: of our own making, where nobody else writes.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    use std::os::fd::AsFd;
    let top = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let deadline = std::time::Instant::now() + DEADLINE;
    let report = tree::empty(top.as_fd(), deadline);
    match report.first {
        Some(first) => Err(io::Error::other(first)),
        None => fs::remove_dir(path),
    }
}
