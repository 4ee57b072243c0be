//! The data directory: one gateway's records, keys, logs and cluster files. Nobody else may read it.

use rustix::fs::{FlockOperation, flock};
use std::error::Error;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An open data directory, locked against a second gateway for as long as this lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Not made, or not made private.
    #[error("the data directory `{}` cannot be made", .path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another gateway has it.
    #[error("another gateway{holder} is using the data directory `{}`; stop it, or give this one its own with `--data-dir`", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// ` (process 123)`, where known.
        holder: String,
    },
    /// The lock file failed.
    #[error("the lock file `{}` cannot be used", .path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key ring was not read or written.
    #[error("the key ring `{}` cannot be used", .path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key ring is damaged. It is never made anew by itself: what it sealed would be lost.
    #[error(
        "the key ring `{}` is damaged: put back a copy of it. Without one, move it away and run `faregate admin keys rotate`: running \
         clusters are then lost to their users, and everybody signs in again",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl DataDir {
    /// Makes the directory if there is none, makes it private, and locks it. With `shared_path`, other users may pass through it
    /// (and read nothing): their own clusters' directories lie below.
    pub fn open(path: &Path, shared_path: bool) -> Result<DataDir, DataDirError> {
        let mode = if shared_path { 0o711 } else { 0o700 };
        let make = |source| DataDirError::Make { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(mode).create(path).map_err(make)?;
        if shared_path {
            close_all_but_the_way(path).map_err(make)?;
        }
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(make)?;
        let path = path.canonicalize().map_err(make)?;
        let lock = lock(&path)?;
        Ok(DataDir { path, _lock: lock })
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Takes everybody else's rights from all that lies in a directory, save the directories that lead to tasks' own: older files may have
/// been made when nobody could pass through it.
fn close_all_but_the_way(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let (entry, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let is_way = ["clusters", "homes", "trash"].iter().any(|name| entry.ends_with(name));
        let mode = if is_way { 0o711 } else { 0o700 };
        match kind {
            kind if kind.is_dir() => std::fs::set_permissions(&entry, Permissions::from_mode(mode))?,
            kind if kind.is_file() => std::fs::set_permissions(&entry, Permissions::from_mode(0o600))?,
            _ => {}
        }
    }
    Ok(())
}

/// Takes `gateway.lock`, and writes our process id into it for the sentence that a second gateway says.
fn lock(dir: &Path) -> Result<File, DataDirError> {
    let path = dir.join("gateway.lock");
    let failed = |source| DataDirError::Lock { path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let holder = if known { format!(" (process {})", pid.trim()) } else { String::new() };
            return Err(DataDirError::InUse { path: dir.to_owned(), holder });
        }
        Err(error) => return Err(failed(error.into())),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// Writes a file of mode 0600, whole or not at all, durably.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn the_directory_and_its_keys_are_private_and_the_keys_are_kept() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("a/b");
        let first = DataDir::open(&path, false).expect("opened");
        let ring = first.key_ring().expect("made");
        assert_eq!((mode(&path), mode(&path.join("keys.json"))), (0o700, 0o600));
        drop(first);
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("set");
        let again = DataDir::open(&path, false).expect("opened again");
        assert_eq!(mode(&path), 0o700);
        assert_eq!(again.key_ring().expect("read"), ring);
    }

    #[test]
    fn before_others_may_pass_what_they_could_read_is_closed() {
        let dir = tempfile::tempdir().expect("a directory");
        for made in ["routes", "clusters", "homes"] {
            std::fs::create_dir(dir.path().join(made)).expect("made");
        }
        std::fs::write(dir.path().join("store.sqlite"), "").expect("written");
        std::fs::set_permissions(dir.path().join("store.sqlite"), Permissions::from_mode(0o644)).expect("set");
        let data = DataDir::open(dir.path(), true).expect("opened");
        let modes = ["store.sqlite", "routes", "clusters", "homes"].map(|name| mode(&data.file(name)));
        assert_eq!((mode(data.path()), modes), (0o711, [0o600, 0o700, 0o711, 0o711]));
    }

    #[test]
    fn a_second_gateway_is_refused_with_the_first_ones_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let _first = DataDir::open(dir.path(), false).expect("opened");
        let refusal = DataDir::open(dir.path(), false).expect_err("refused").to_string();
        assert!(
            refusal.starts_with(&format!("another gateway (process {}) is using", std::process::id())),
            "{refusal}"
        );
    }
}
