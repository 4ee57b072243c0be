//! Removing a directory tree that somebody else made, whatever it looks like.
//!
//! Never recursive, with three descriptors at most: a directory that is not empty is first moved up to the top, so that every
//! directory that is emptied lies directly below it, however deep it was. Nothing outside can be reached: every name is looked up
//! from an open directory and no link is followed. Who removes is expected to have no more rights than who made the tree.

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, RenameFlags, Stat, chmodat, fchmod, fstat, openat, renameat_with,
    unlinkat,
};
use rustix::io::{Errno, Result};
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// Bytes of directory entries read at once.
const BUFFER: usize = 32 << 10;
/// A directory is read again until nothing more goes, and at most so often: others may write into it.
const ROUNDS: usize = 8;

/// How a removal went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Entries removed.
    pub removed: u64,
    /// Entries that could not be removed, or moved up.
    pub failed: u64,
    /// The first of them, as text, and why.
    pub first: Option<String>,
    /// The deadline came first.
    pub late: bool,
}

/// Removes everything in the directory `top`, but not itself.
pub fn empty(top: BorrowedFd<'_>, deadline: Instant) -> Report {
    let prefix = format!(".faregate-{:016x}-", super::unguessable());
    let device = fstat(top).map_or(0, |stat| stat.st_dev);
    let mut removal =
        Removal { top, device, prefix, moved: 0, pending: Vec::new(), deadline, report: Report::default() };
    removal.run();
    removal.report
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    /// What lies on another device is mounted there, and not ours to remove.
    device: u64,
    /// Directories that were moved up are named so, and a number.
    prefix: String,
    moved: u64,
    /// Numbers of those that are still to be emptied, the last first: so the top stays as narrow as can be.
    pending: Vec<u64>,
    deadline: Instant,
    report: Report,
}

/// What became of one entry.
enum Gone {
    Removed,
    /// It is elsewhere now, and will be emptied there.
    MovedUp,
    Failed,
}

impl Removal<'_> {
    fn run(&mut self) {
        if make_writable(self.top).is_err() {
            // what follows says why
        }
        self.drain(self.top);
        while let Some(number) = self.pending.pop() {
            if self.is_late() {
                return;
            }
            let name = self.name(number);
            match self.open(self.top, &name) {
                Ok(directory) => self.drain(directory.as_fd()),
                Err(error) => self.fail(&name, error),
            }
            match unlinkat(self.top, &name, AtFlags::REMOVEDIR) {
                Ok(()) => self.report.removed += 1,
                // what is left in it has been counted
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => {}
                Err(error) => self.fail(&name, error),
            }
        }
    }

    fn name(&self, number: u64) -> CString {
        CString::new(format!("{}{number}", self.prefix)).unwrap_or_default()
    }

    fn is_late(&mut self) -> bool {
        self.report.late = self.report.late || Instant::now() >= self.deadline;
        self.report.late
    }

    /// Removes or moves up all entries of an open directory.
    fn drain(&mut self, directory: BorrowedFd<'_>) {
        let before = (self.report.failed, self.report.first.clone());
        for _ in 0..ROUNDS {
            // only what the last round could not do counts
            (self.report.failed, self.report.first) = before.clone();
            if rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0)).is_err() {
                return;
            }
            let gone = self.round(directory);
            if self.report.late || gone == 0 {
                return;
            }
        }
    }

    /// Goes once over the entries. How many are gone from here.
    fn round(&mut self, directory: BorrowedFd<'_>) -> u64 {
        let mut gone = 0;
        let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER);
        let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.fail(c".", error);
                    return gone;
                }
            };
            let name = entry.file_name();
            if name == c"." || name == c".." || self.is_ours(directory, name) {
                continue;
            }
            if self.is_late() {
                return gone;
            }
            match self.remove(directory, name, entry.file_type()) {
                Gone::Removed => {
                    self.report.removed += 1;
                    gone += 1;
                }
                Gone::MovedUp => gone += 1,
                Gone::Failed => {}
            }
        }
        gone
    }

    fn is_ours(&self, directory: BorrowedFd<'_>, name: &CStr) -> bool {
        directory.as_raw_fd() == self.top.as_raw_fd() && name.to_bytes().starts_with(self.prefix.as_bytes())
    }

    fn remove(&mut self, directory: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Gone {
        if kind != FileType::Directory {
            match unlinkat(directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => return Gone::Removed,
                // not every file system tells what an entry is
                Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => {}
                Err(error) => return self.failed(name, error),
            }
        }
        match unlinkat(directory, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Gone::Removed,
            Err(Errno::NOTEMPTY | Errno::EXIST) => self.move_up(directory, name),
            Err(error) => self.failed(name, error),
        }
    }

    fn move_up(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Gone {
        let number = self.moved;
        let to = self.name(number);
        let rename = || renameat_with(directory, name, self.top, &to, RenameFlags::NOREPLACE);
        let renamed = match rename() {
            // to move it, its own entry `..` is written
            Err(Errno::ACCESS | Errno::PERM) => make_entry_writable(directory, name).and_then(|()| rename()),
            other => other,
        };
        match renamed {
            Ok(()) => {
                self.moved += 1;
                self.pending.push(number);
                Gone::MovedUp
            }
            Err(error) => self.failed(name, error),
        }
    }

    /// Opens a directory of this device, and gives its owner all rights to it.
    fn open(&self, directory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOATIME;
            match openat(directory, name, flags, Mode::empty()) {
                // of somebody else's directory the time of access cannot be left alone
                Err(Errno::PERM) => openat(directory, name, flags - OFlags::NOATIME, Mode::empty()),
                other => other,
            }
        };
        let opened = match open() {
            Err(Errno::ACCESS) => make_entry_writable(directory, name).and_then(|()| open()),
            other => other,
        }?;
        if fstat(&opened)?.st_dev != self.device {
            return Err(Errno::XDEV);
        }
        // failing, what is in it says why
        let _ = make_writable(opened.as_fd());
        Ok(opened)
    }

    fn failed(&mut self, name: &CStr, error: Errno) -> Gone {
        self.fail(name, error);
        Gone::Failed
    }

    fn fail(&mut self, name: &CStr, error: Errno) {
        self.report.failed += 1;
        // escaped: the name may hold anything
        let why = match error {
            Errno::XDEV => "another file system is mounted there".to_owned(),
            error => std::io::Error::from(error).to_string(),
        };
        self.report.first.get_or_insert_with(|| format!("{:?}: {why}", name.to_string_lossy()));
    }
}

/// All rights for the owner of an open directory.
fn make_writable(directory: BorrowedFd<'_>) -> Result<()> {
    let stat: Stat = fstat(directory)?;
    if stat.st_mode & 0o700 == 0o700 { Ok(()) } else { fchmod(directory, Mode::RWXU) }
}

/// The same for one that cannot be opened; a link is not followed.
fn make_entry_writable(directory: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = openat(directory, name, flags, Mode::empty())?;
    chmodat(CWD, format!("/proc/self/fd/{}", handle.as_raw_fd()), Mode::RWXU, AtFlags::empty())
}

#[cfg(test)]
mod tests;
