//! Files that are there as a whole or not at all, also after the machine lost its power.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A user and a group, by number.
pub type Owner = (u32, u32);

/// Writes or replaces a file, mode 0600. Callers see to it that only one writes a file at a time.
pub fn write(path: &Path, content: &[u8], owner: Option<Owner>) -> io::Result<()> {
    let draft = draft(path, "new");
    fill(&draft, content, owner)?;
    fs::rename(&draft, path)?;
    sync_parent(path)
}

/// Writes a file unless there is one: of two writers, the first is right, and is told so. Mode 0600.
pub fn create(path: &Path, content: &[u8]) -> io::Result<bool> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let draft = draft(path, &format!("{}-{}", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    fill(&draft, content, None)?;
    let linked = match fs::hard_link(&draft, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true),
    };
    fs::remove_file(&draft)?;
    sync_parent(path)?;
    linked
}

/// Reads a file; none = there is none.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Removes a file written by [`write()`], and what a crash may have left of its writing.
pub fn remove(path: &Path) -> io::Result<()> {
    for path in [path, &draft(path, "new")] {
        match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// Makes a directory of this mode, whatever the umask. Its parent must exist; it may.
pub fn directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => {
            other?;
            sync_parent(path)?;
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn draft(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn fill(path: &Path, content: &[u8], owner: Option<Owner>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))?;
    }
    file.write_all(content)?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_creations_the_first_stays_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit.json");
        assert!(create(&path, b"first").unwrap());
        assert!(!create(&path, b"second").unwrap());
        assert_eq!(read(&path).unwrap().unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn creations_at_the_same_time_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit.json");
        let firsts = std::thread::scope(|scope| {
            let count = || (0..50).filter(|_| create(&path, b"content").unwrap()).count();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(firsts, 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_removal_takes_an_unfinished_draft_along() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tls.key");
        write(&path, b"secret", None).unwrap();
        fs::write(dir.path().join(".tls.key.new"), b"secr").unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
