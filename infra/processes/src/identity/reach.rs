//! What another uid can reach: tried as that uid, not guessed from modes.

use super::super::records::RunAs;
use super::super::supervise::become_user;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// A uid that no file belongs to: what it can reach, everybody can.
pub const ANYBODY: u32 = 65_534;
/// Symbolic links followed on the way; as many as the kernel follows.
const MOST_LINKS: u32 = 40;

/// What bars the way to a path.
#[derive(Debug, thiserror::Error)]
pub enum Barred {
    /// A directory or file on the way.
    #[error("`{}` bars the way to `{}` (uid {uid} is refused there)", .at.display(), .path.display())]
    At {
        /// Where to.
        path: PathBuf,
        /// What bars the way.
        at: PathBuf,
        /// For whom.
        uid: u32,
    },
    /// It could not be tried.
    #[error("whether tasks can reach `{}` cannot be tried", .path.display())]
    Untried {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Tries, as this user, to pass every directory on the way to `path`, through every symbolic link, and to use what is there: a
/// directory can be passed, a file read.
pub fn reach(user: &RunAs, path: &Path) -> Result<(), Barred> {
    let untried = |source| Barred::Untried { path: path.to_owned(), source };
    let tried = std::thread::scope(|scope| {
        let walk = || become_user(user).and_then(|()| walk(path));
        scope.spawn(walk).join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    });
    match tried.map_err(untried)? {
        None => Ok(()),
        Some(at) => Err(Barred::At { path: path.to_owned(), at, uid: user.uid }),
    }
}

/// The first component that this thread's user may not pass, or use at the end.
fn walk(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut left: VecDeque<PathBuf> = components(path);
    let (mut here, mut links) = (PathBuf::from("/"), 0);
    while let Some(next) = left.pop_front() {
        if next == Path::new("..") {
            here.pop();
            continue;
        }
        let there = here.join(&next);
        let kind = match std::fs::symlink_metadata(&there) {
            // the directory above has let us pass: not expected, and barred all the same
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Some(here)),
            other => other?.file_type(),
        };
        if kind.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = std::fs::read_link(&there)?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            components(&target).into_iter().rev().for_each(|part| left.push_front(part));
            continue;
        }
        let runs = std::fs::metadata(&there).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0);
        let access = match (kind.is_dir(), runs) {
            (true, _) => Access::EXEC_OK,
            (false, true) => Access::READ_OK | Access::EXEC_OK,
            (false, false) => Access::READ_OK,
        };
        match accessat(CWD, &there, access, AtFlags::empty()) {
            Err(Errno::ACCESS | Errno::PERM) => return Ok(Some(there)),
            other => other?,
        }
        here = there;
    }
    Ok(None)
}

fn components(path: &Path) -> VecDeque<PathBuf> {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    parts.map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir_all, set_permissions, write};
    use std::os::unix::fs::symlink;

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_directory_that_bars_the_way_is_named_also_behind_a_link() {
        assert!(rustix::process::geteuid().is_root(), "only root can try as somebody else");
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let stranger = RunAs { uid: 2_000_000_000, gid: 2_000_000_000, groups: Vec::new() };
        create_dir_all(root.join("a/b")).unwrap();
        write(root.join("a/b/file"), "").unwrap();
        symlink("a/../a/b", root.join("link")).unwrap();
        for passable in [root.clone(), root.join("a"), root.join("a/b")] {
            mode(&passable, 0o711);
        }
        mode(&root.join("a/b/file"), 0o644);
        let barred = |path: &str| match reach(&stranger, &root.join(path)) {
            Ok(()) => None,
            Err(Barred::At { at, .. }) => Some(at),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(barred("link/file"), None);
        mode(&root.join("a/b/file"), 0o600);
        assert_eq!(barred("link/file"), Some(root.join("a/b/file")));
        mode(&root.join("a"), 0o700);
        assert_eq!(barred("link/file"), Some(root.join("a")));
        assert_eq!(barred("a"), Some(root.join("a")));
        // ours has not changed
        assert!(rustix::process::geteuid().is_root() && root.join("a/b/file").exists());
    }
}
