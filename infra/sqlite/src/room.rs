//! Room on the store's disk: how much is free, how much must be, and a file that holds some back.
//!
//! When others have filled the disk, the file is given up, so that what ends clusters can still be written down.

use faregate_core::ports::StoreError;
use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open, statvfs};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The file's name, beside the store.
const RESERVE: &str = "reserve";
/// Its size, and on a small disk the share of the disk that it is at most.
const RESERVE_BYTES: u64 = 16 << 20;
const RESERVE_SHARE: u64 = 40;
/// On a small disk that must be free is this share of it at most.
const FREE_SHARE: u64 = 20;

/// The disk that the store is on.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    /// Bytes that must be free for anything new; 0 = nothing is asked.
    least_free: AtomicU64,
}

struct Disk {
    total: u64,
    free: u64,
}

impl Room {
    pub fn beside(store: &Path) -> Room {
        let directory = store.parent().map(Path::to_owned).unwrap_or_default();
        Room { directory, least_free: AtomicU64::new(0) }
    }

    pub fn ask_for(&self, least_free: u64) {
        self.least_free.store(least_free, Ordering::Relaxed);
    }

    fn disk(&self) -> io::Result<Disk> {
        let stat = statvfs(&self.directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Disk { total: bytes(stat.f_blocks), free: bytes(stat.f_bavail) })
    }

    fn least(&self, disk: &Disk) -> u64 {
        self.least_free.load(Ordering::Relaxed).min(disk.total / FREE_SHARE)
    }

    /// Is there room for something new?
    pub fn check(&self) -> Result<(), StoreError> {
        match self.disk() {
            // a disk that cannot say has room
            Ok(disk) if disk.free < self.least(&disk) => Err(StoreError::NoRoom(no_room(&self.directory))),
            _ => Ok(()),
        }
    }

    /// Gives up what is held back. True when there was something.
    pub fn release(&self) -> bool {
        let released = std::fs::remove_file(self.directory.join(RESERVE)).is_ok();
        if released {
            tracing::warn!(directory = %self.directory.display(), "disk full: the reserve is given up");
        }
        released
    }

    /// Holds room back, unless that is so already or there is too little for it.
    pub fn keep(&self) -> io::Result<()> {
        let disk = self.disk()?;
        let size = RESERVE_BYTES.min(disk.total / RESERVE_SHARE);
        let path = self.directory.join(RESERVE);
        if path.try_exists()? || disk.free < self.least(&disk).saturating_add(2 * size) {
            return Ok(());
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(&path, flags, Mode::RUSR | Mode::WUSR)?;
        fallocate(&file, FallocateFlags::empty(), 0, size).map_err(|error| {
            // one that holds nothing back would be taken for one that does
            let _ = std::fs::remove_file(&path);
            error.into()
        })
    }
}

/// The sentence that users and administrators read.
pub(super) fn no_room(directory: &Path) -> String {
    format!(
        "there is no space left on the disk of the gateway's data directory (`{}`): stop clusters that hold much data, or ask an \
         administrator to make room",
        directory.display()
    )
}

/// Does SQLite say that the disk is full?
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        // the memory that connections share could not be made larger
        || matches!(error, rusqlite::Error::SqliteFailure(inner, _) if inner.extended_code == SHM_SIZE)
}

/// `SQLITE_IOERR_SHMSIZE`
const SHM_SIZE: i32 = 10 | (19 << 8);
