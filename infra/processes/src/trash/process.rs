//! The process that removes: it has limits, a deadline, and no more rights than the owner of what it removes.

use super::tree::{Report, empty};
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::process::{Resource, Rlimit, geteuid, nice, setrlimit};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::{fs::Gid, fs::Uid};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One removal ends after this time, done or not.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// Empties a directory: the body of the hidden command `remove <directory>`. Prints a `Report` as JSON.
///
/// To be called first thing in a process of its own: it becomes the directory's owner.
pub fn remove(directory: &Path) -> ExitCode {
    let report = run(directory).unwrap_or_else(|error| Report {
        failed: 1,
        first: Some(format!("{:?}: {error}", directory.to_string_lossy())),
        ..Report::default()
    });
    let text = serde_json::to_string(&report).unwrap_or_default();
    // whoever listened may have gone
    let _ = writeln!(io::stdout(), "{text}");
    if report.failed > 0 || report.late { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(directory: &Path) -> io::Result<Report> {
    limit()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = std::path::absolute(directory)?;
    let top = match openat(CWD, &path, flags, Mode::empty()) {
        Err(rustix::io::Errno::ACCESS) => {
            // ours, with rights that its owner took away
            rustix::fs::chmod(&path, Mode::RWXU)?;
            openat(CWD, &path, flags, Mode::empty())?
        }
        other => other?,
    };
    let owner = fstat(&top)?;
    if geteuid().is_root() && owner.st_uid != 0 {
        let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        // this process has one thread
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    Ok(empty(top.as_fd(), Instant::now() + DEADLINE))
}

/// What a removal needs, and no more. Others go first.
fn limit() -> io::Result<()> {
    let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Nofile, at_most(32))?;
    setrlimit(Resource::Cpu, at_most(DEADLINE.as_secs()))?;
    setrlimit(Resource::As, at_most(1 << 30))?;
    setrlimit(Resource::Core, at_most(0))?;
    nice(5)?;
    Ok(())
}
