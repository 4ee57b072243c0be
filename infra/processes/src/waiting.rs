//! A supervisor that waits for its order, and the words exchanged with it.

use super::processes::Process;
use super::records::TaskDir;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A supervisor says its words within milliseconds; a machine that swaps may need longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A supervisor that waits for its order. Dropped before it has it, it is killed.
pub struct Waiting {
    /// Itself.
    pub process: Process,
    /// To be buried by whoever watches it.
    pub child: Option<Child>,
    order: Option<ChildStdin>,
    words: ChildStdout,
}

impl Waiting {
    /// Starts one; the task's directory is its last argument.
    pub fn spawn(program: &[OsString], dir: &TaskDir) -> io::Result<Waiting> {
        let (program, arguments) =
            program.split_first().ok_or_else(|| io::Error::other("no supervisor is configured"))?;
        let mut command = Command::new(program);
        command.arg0("faregate").args(arguments).arg(&dir.0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let failed = |error| io::Error::other(format!("the supervisor `{}`: {error}", program.display()));
        let mut child = command.spawn().map_err(failed)?;
        let process = Process::of(child.id() as i32);
        match (process, child.stdin.take(), child.stdout.take()) {
            (Ok(Some(process)), order, Some(words)) => Ok(Waiting { process, child: Some(child), order, words }),
            (process, ..) => {
                child.kill()?;
                child.wait()?;
                Err(process.err().unwrap_or_else(|| io::Error::other("the supervisor was gone at once")))
            }
        }
    }

    /// The next word it says; none = it has ended.
    pub fn hear(&mut self) -> io::Result<Option<String>> {
        let deadline = Instant::now() + PATIENCE;
        let mut word = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.words, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "a supervisor does not answer")),
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let mut byte = [0];
            match self.words.read(&mut byte)? {
                0 => return Ok(None),
                _ if byte[0] == b'\n' => return Ok(Some(String::from_utf8_lossy(&word).into_owned())),
                _ => word.push(byte[0]),
            }
        }
    }

    /// One that was killed does not hear it, and is found out later.
    pub fn give(&mut self, mut order: Vec<u8>) {
        order.push(b'\n');
        if let Some(mut pipe) = self.order.take() {
            let _ = pipe.write_all(&order);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let (Some(_), Some(child)) = (&self.order, &mut self.child) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
