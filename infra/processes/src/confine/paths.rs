//! Everything beside some paths: Landlock's rules allow what is below a directory, and cannot take anything out of it again. So each
//! directory on the way to a path is gone through, and its other entries are granted one by one.
//!
//! What is made in one of those directories later is not granted to tasks that run by then, and they can make nothing there.

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// File systems in which a process changes processes, not files: `oom_score_adj` of another one, or the control group that the gateway
/// is in.
const OF_THE_KERNEL: [&str; 2] = ["/proc", "/sys"];
/// What programs that run as this user may write in their home under a name that begins with a dot.
const CACHE: &str = ".cache";
/// Where services of the machine have their sockets …
const SOCKETS: &str = "/run";
/// … and those that start programs for whoever asks.
const STARTERS: [&str; 6] = ["user", "screen", "systemd", "docker.sock", "containerd", "podman"];

/// What may be done with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything that the user may do.
    All,
    /// Read and run.
    Read,
    /// List the names in directories.
    Names,
}

/// Something that tasks may use.
#[derive(Debug)]
pub struct Grant {
    pub fd: OwnedFd,
    pub rights: Rights,
    pub is_directory: bool,
    /// Connections to the sockets there.
    pub sockets: bool,
}

impl Grant {
    /// Of what is at a path, and not where a symbolic link there leads: that place is granted, or not, for itself. None = it is a link, is gone,
    /// or cannot be reached.
    pub fn open(path: &Path, rights: Rights) -> Option<Grant> {
        let fd = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let kind = FileType::from_raw_mode(fstat(&fd).ok()?.st_mode);
        let sockets = path.parent() == Some(Path::new(SOCKETS)) && !STARTERS.iter().any(|name| path.ends_with(name));
        (kind != FileType::Symlink).then_some(Grant { fd, rights, is_directory: kind == FileType::Directory, sockets })
    }
}

/// Everything but what is hidden; what is to be read only, for reading.
pub fn beside(hidden: &[PathBuf], read_only: &[PathBuf]) -> io::Result<Vec<Grant>> {
    let read_only: Vec<PathBuf> = OF_THE_KERNEL.iter().map(PathBuf::from).chain(read_only.iter().cloned()).collect();
    let mut grants: Vec<Grant> = Grant::open(Path::new("/"), Rights::Names).into_iter().collect();
    let opened = [PathBuf::from(SOCKETS).join("_")]; // gone through as well
    let ways: Vec<&PathBuf> = hidden.iter().chain(&read_only).chain(&opened).collect();
    let mut left = vec![PathBuf::from("/")];
    while let Some(directory) = left.pop() {
        for path in entries(&directory, &ways)? {
            if hidden.contains(&path) {
                continue;
            }
            if read_only.contains(&path) && !hidden.iter().any(|hidden| hidden.starts_with(&path)) {
                grants.extend(Grant::open(&path, Rights::Read));
            } else if ways.iter().any(|way| way.starts_with(&path)) && is_directory(&path) {
                left.push(path);
            } else {
                let below = read_only.iter().any(|read_only| path.starts_with(read_only));
                grants.extend(Grant::open(&path, if below { Rights::Read } else { Rights::All }));
            }
        }
    }
    Ok(grants)
}

/// What is in a directory. Where it may be passed and not listed, the entries that the ways lead through are known: what is beside them is
/// not, and is not granted.
fn entries(directory: &Path, ways: &[&PathBuf]) -> io::Result<BTreeSet<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let next = |way: &&PathBuf| Some(directory.join(way.strip_prefix(directory).ok()?.components().next()?));
            Ok(ways.iter().filter_map(next).collect())
        }
        Err(error) => Err(error),
    }
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// Entries of a home directory by which a shell, a session or a program that its user starts can be made to run something.
pub fn start_up_files(home: &Path) -> io::Result<Vec<PathBuf>> {
    let home = match home.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let entries = match fs::read_dir(&home) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Vec::new()),
        other => other?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    let dotted = names.iter().filter(|name| name.as_encoded_bytes().starts_with(b".") && *name != CACHE);
    // one that may not be there: so a home without any is gone through as well, and no task makes the first
    Ok(dotted.map(|name| home.join(name)).chain([home.join(".profile")]).collect())
}
