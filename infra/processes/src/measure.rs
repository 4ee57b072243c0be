//! How much room the files of clusters take.
//!
//! Looked at by a process of its own, with limits: a tree can be made so that looking at it never ends. What is too deep, too wide or
//! too slow to be looked at counts as too large.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, fstat, openat, statat};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ffi::CStr;
use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Directories below each other that are looked into.
const DEPTH: usize = 200;
/// Entries that are looked at.
const ENTRIES: u64 = 2_000_000;
/// Time for one cluster, and for all of one look.
const LONGEST: Duration = Duration::from_secs(20);
const ALL: Duration = Duration::from_secs(300);

/// What was found of one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Why that is not all; none = it is.
    pub too_much: Option<String>,
}

/// Measures directories: the body of the hidden command `measure <directory>…`. Prints a line of JSON for each.
pub fn measure(directories: &[PathBuf]) -> ExitCode {
    // without its limits it would still end
    let _ = limit();
    for directory in directories {
        let measured = look(directory, Instant::now() + LONGEST);
        let Ok(line) = serde_json::to_string(&measured) else { return ExitCode::FAILURE };
        if writeln!(io::stdout(), "{line}").is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn limit() -> io::Result<()> {
    let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Nofile, at_most(DEPTH as u64 + 32))?;
    setrlimit(Resource::Cpu, at_most(ALL.as_secs()))?;
    setrlimit(Resource::Core, at_most(0))?;
    nice(5)?;
    Ok(())
}

/// One directory and everything below it, links and other file systems aside. One that is not there takes nothing.
fn look(directory: &Path, deadline: Instant) -> Measured {
    let mut found = Measured::default();
    let Ok(top) = open(CWD, directory) else { return found };
    let Ok(device) = fstat(&top).map(|stat| stat.st_dev) else { return found };
    let (mut seen, mut stack) = (Seen::default(), vec![(top, Vec::<CString>::new(), false)]);
    while let Some((here, inside, listed)) = stack.last_mut() {
        if !std::mem::replace(listed, true) {
            match list(here, device, &mut seen, &mut found.bytes, deadline) {
                Ok(below) => *inside = below,
                Err(why) => {
                    found.too_much = Some(why);
                    return found;
                }
            }
        }
        let Some(name) = inside.pop() else {
            stack.pop();
            continue;
        };
        let below = match open(here.as_fd(), name) {
            Ok(below) => below,
            Err(Errno::ACCESS) => {
                found.too_much = Some("a directory may not be looked into".to_owned());
                return found;
            }
            Err(_) => continue, // gone
        };
        if stack.len() > DEPTH {
            found.too_much = Some(format!("directories lie more than {DEPTH} deep"));
            return found;
        }
        stack.push((below, Vec::new(), false));
    }
    found
}

fn open<P: rustix::path::Arg>(at: impl AsFd, path: P) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat(at, path, flags, Mode::empty())
}

/// What was looked at.
#[derive(Default)]
struct Seen {
    entries: u64,
    /// Inodes of files with several names, which take their room once.
    linked: HashSet<u64>,
}

/// Adds up what lies in a directory; its directories.
fn list(
    here: &OwnedFd,
    device: u64,
    seen: &mut Seen,
    bytes: &mut u64,
    deadline: Instant,
) -> Result<Vec<CString>, String> {
    let mut below = Vec::new();
    let mut buffer: Vec<u8> = Vec::with_capacity(32 << 10);
    let mut names = RawDir::new(here, buffer.spare_capacity_mut());
    while let Some(Ok(entry)) = names.next() {
        let name: &CStr = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        seen.entries += 1;
        if seen.entries > ENTRIES {
            return Err(format!("there are more than {ENTRIES} files"));
        }
        if seen.entries.is_multiple_of(256) && Instant::now() > deadline {
            return Err(format!("looking at them takes longer than {} seconds", LONGEST.as_secs()));
        }
        let stat = match statat(here, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) {
            Ok(stat) => stat,
            Err(Errno::ACCESS) => return Err("files may not be looked at".to_owned()),
            Err(_) => continue, // gone, or of another file system that is mounted here
        };
        if stat.st_dev != device {
            continue;
        }
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !is_directory && stat.st_nlink > 1 && !seen.linked.insert(stat.st_ino) {
            continue;
        }
        *bytes = bytes.saturating_add((stat.st_blocks as u64).saturating_mul(512));
        if is_directory {
            below.push(name.to_owned());
        }
    }
    Ok(below)
}

/// Measures directories by a process of its own. One that the process had no time for is not in the answer.
pub async fn measure_apart(program: &[OsString], directories: &[PathBuf]) -> io::Result<Vec<Measured>> {
    let (program, arguments) =
        program.split_first().ok_or_else(|| io::Error::other("no program that measures is configured"))?;
    let mut command = tokio::process::Command::new(program);
    command.arg0("faregate").args(arguments).args(directories).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let output = tokio::time::timeout(ALL, command.spawn()?.wait_with_output()).await;
    let output = output.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "measuring did not end"))??;
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;
    use std::fs;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn files_are_added_up_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("work/a")).unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        for name in ["work/a/x", "work/y", "other/z"] {
            fs::write(dir.path().join(name), vec![1; 1 << 20]).unwrap();
        }
        std::os::unix::fs::symlink("../../other", dir.path().join("work/a/link")).unwrap();
        let measured = look(&dir.path().join("work"), soon());
        assert!((2 << 20..3 << 20).contains(&measured.bytes) && measured.too_much.is_none(), "{measured:?}");
        assert_eq!(look(&dir.path().join("none"), soon()), Measured::default());
    }

    #[test]
    fn a_file_with_many_names_takes_its_room_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        fs::write(dir.path().join("0"), vec![1; 1 << 20]).unwrap();
        for at in 1..20 {
            fs::hard_link(dir.path().join("0"), dir.path().join(format!("below/{at}"))).unwrap();
        }
        let measured = look(dir.path(), soon());
        assert!((1 << 20..2 << 20).contains(&measured.bytes) && measured.too_much.is_none(), "{measured:?}");
    }

    #[test]
    fn what_cannot_be_looked_at_in_full_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut here = OwnedFd::from(fs::File::open(dir.path()).unwrap());
        for _ in 0..=DEPTH {
            mkdirat(&here, c"d", Mode::RWXU).unwrap();
            here = open(&here, c"d").unwrap();
        }
        assert!(look(dir.path(), soon()).too_much.unwrap().contains("deep"));
        let wide = tempfile::tempdir().unwrap();
        for at in 0..300 {
            fs::write(wide.path().join(at.to_string()), "").unwrap();
        }
        let late = Instant::now() - Duration::from_secs(1);
        assert!(look(wide.path(), late).too_much.unwrap().contains("longer"));
    }
}
