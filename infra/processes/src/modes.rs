//! Modes of the launcher's own directories. A confined task has the gateway's uid, and Landlock does not see `chmod`: code could lock the
//! gateway out of its own files, or let other users of the machine in. So they are looked at all the time, and put back.

use super::Inner;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Directories in a cluster's own that only the launcher writes to.
const OF_CLUSTERS: [&str; 2] = ["launches", "tasks"];

/// Puts the modes of the directory, of what is in it, and of what the launcher has made for clusters back: all for the owner, nothing
/// for others. What was changed.
pub fn restore(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    put_back(directory, &mut changed)?;
    for path in entries(directory)? {
        put_back(&path, &mut changed)?;
    }
    for cluster in entries(&directory.join("clusters"))? {
        put_back(&cluster, &mut changed)?;
        for made in OF_CLUSTERS.map(|name| cluster.join(name)) {
            put_back(&made, &mut changed)?;
            for path in entries(&made)? {
                put_back(&path, &mut changed)?;
            }
        }
    }
    Ok(changed)
}

fn put_back(path: &Path, changed: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some(metadata) = there(path.symlink_metadata())?.filter(|metadata| !metadata.is_symlink()) else {
        return Ok(());
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let least = if metadata.is_dir() { 0o700 } else { 0o600 };
    let right = (mode | least) & 0o700;
    if mode != right {
        there(fs::set_permissions(path, Permissions::from_mode(right)))?;
        changed.push(path.to_owned());
    }
    Ok(())
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        found => there(found)?.into_iter().flatten().map(|entry| Ok(entry?.path())).collect(),
    }
}

/// None = it is gone.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Looks again and again, for as long as the launcher lives.
pub(super) async fn keep(launcher: Weak<Inner>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(directory) = launcher.upgrade().map(|launcher| launcher.settings.directory.clone()) else { return };
        match tokio::task::spawn_blocking(move || restore(&directory)).await {
            Ok(Ok(paths)) if paths.is_empty() => {}
            Ok(Ok(paths)) => {
                tracing::warn!(?paths, "modes in the data directory put back: code in a cluster changes them")
            }
            Ok(Err(error)) => tracing::debug!(%error, "modes in the data directory cannot be looked at"),
            Err(error) => tracing::error!(%error, "looking at modes panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_to_others_is_closed_and_what_was_closed_to_us_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = dir.path().join("clusters/c/tasks");
        fs::create_dir_all(tasks.join("t/work")).unwrap();
        restore(dir.path()).unwrap();
        assert_eq!(restore(dir.path()).unwrap(), [""; 0].map(PathBuf::from), "at rest nothing is changed");
        let keys = dir.path().join("keys.json");
        fs::write(&keys, "keys").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        set(&keys, 0o666);
        set(&tasks.join("t"), 0);
        set(&tasks, 0o4777);
        set(&tasks.join("t"), 0);
        set(dir.path(), 0o777);
        assert_eq!(restore(dir.path()).unwrap(), [dir.path(), &keys, &tasks, &tasks.join("t")]);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode(&keys), mode(&tasks), mode(&tasks.join("t")), mode(dir.path())], [0o600, 0o700, 0o700, 0o700]);
    }
}
