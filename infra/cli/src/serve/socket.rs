//! Where the gateway's Unix socket is: in the data directory, unless that path is too long for one.

use super::data_dir::{DataDir, write_private};
use faregate_machine::random;
use rustix::process::geteuid;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes that a socket's path may have, its ending zero aside.
const LONGEST: usize = 107;
/// The socket's name.
const NAME: &str = "gateway.sock";
/// In the data directory: where the socket is, when it is elsewhere.
const REMEMBERED: &str = "socket-directory";

/// The socket's path. One that is elsewhere stays the same from start to start: a proxy that runs knows it.
pub fn path(data: &DataDir) -> io::Result<PathBuf> {
    let here = data.file(NAME);
    if fits(&here) {
        return Ok(here);
    }
    let remembered = data.file(REMEMBERED);
    let last = match std::fs::read(&remembered) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(PathBuf::from(std::ffi::OsString::from(String::from_utf8_lossy(&other?).trim_end()))),
    };
    if let Some(last) = last.filter(|last| fits(&last.join(NAME)) && private(last).is_ok()) {
        return Ok(last.join(NAME));
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let mut failure = io::Error::other("no directory is short enough");
    for parent in runtime.into_iter().chain([PathBuf::from("/run"), PathBuf::from("/tmp")]) {
        let elsewhere = parent.join(format!("faregate-{:016x}", u64::from_ne_bytes(random())));
        if !fits(&elsewhere.join(NAME)) {
            continue;
        }
        match private(&elsewhere) {
            Ok(()) => {
                write_private(&remembered, elsewhere.as_os_str().as_bytes())?;
                tracing::info!(path = %elsewhere.display(), "socket path too long: the socket is elsewhere");
                return Ok(elsewhere.join(NAME));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Removes the socket, and the directory that was made for it.
pub fn remove(data: &DataDir, socket: &Path) {
    let _ = std::fs::remove_file(socket);
    if let Some(parent) = socket.parent().filter(|parent| *parent != data.path()) {
        // a proxy that stays still knows it, and it is made again at the next start
        let _ = std::fs::remove_dir(parent);
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= LONGEST
}

/// Makes a directory that is ours alone, or finds that it is: a real directory of this user's, which nobody else may enter.
fn private(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let meta = std::fs::symlink_metadata(dir)?;
    if meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("`{}` is not this user's alone", dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_short_path_stays_and_a_long_one_is_put_elsewhere_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let short = DataDir::open(&dir.path().join("d"), false).unwrap();
        assert_eq!(path(&short).unwrap(), short.file(NAME));
        let long = DataDir::open(&dir.path().join("x".repeat(120)), false).unwrap();
        let elsewhere = path(&long).unwrap();
        assert!(fits(&elsewhere) && std::os::unix::net::UnixListener::bind(&elsewhere).is_ok(), "{elsewhere:?}");
        assert_eq!(path(&long).unwrap(), elsewhere);
        remove(&long, &elsewhere);
        assert!(!elsewhere.parent().unwrap().exists());
        assert_eq!(path(&long).unwrap(), elsewhere, "made again at the same place");
        remove(&long, &elsewhere);
    }

    #[test]
    fn a_directory_that_others_prepared_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let long = DataDir::open(&dir.path().join("x".repeat(120)), false).unwrap();
        let (theirs, target) = (dir.path().join("t"), dir.path().join("u"));
        std::fs::create_dir(&target).unwrap();
        symlink(&target, &theirs).unwrap();
        std::fs::write(long.file(REMEMBERED), theirs.as_os_str().as_bytes()).unwrap();
        let elsewhere = path(&long).unwrap();
        assert_ne!(elsewhere.parent().unwrap(), theirs);
        std::fs::set_permissions(elsewhere.parent().unwrap(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let another = path(&long).unwrap();
        assert_ne!(another, elsewhere);
        remove(&long, &elsewhere);
        remove(&long, &another);
    }
}
