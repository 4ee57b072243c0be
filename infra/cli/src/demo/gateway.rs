//! The demo's gateway: the real `faregate serve`, as a process, in a directory of its own.

use super::DemoError;
use crate::python::PythonEnv;
use faregate_processes::identity::{UidRange, passing_range, release};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Ready within this time.
const READY: Duration = Duration::from_secs(60);
/// At rest within this time.
const REST: Duration = Duration::from_secs(120);
/// What is said before the address.
const PREFIX: &str = "faregate is ready at ";

/// A gateway that runs.
pub struct DemoGateway {
    /// Where.
    pub address: String,
    dir: TempDir,
    child: Child,
    /// What its users' uids are taken from.
    uids: Option<UidRange>,
    /// Held open, so that it can always write.
    _stdout: Lines<BufReader<ChildStdout>>,
}

/// Starts it on a free port. Its log is in `dir`.
pub async fn start(dir: TempDir, python: &PythonEnv) -> Result<DemoGateway, DemoError> {
    let config = dir.path().join("faregate.toml");
    // as root: no uid is assigned for good
    let uids = rustix::process::geteuid().is_root().then(passing_range);
    let line = uids.as_ref().map_or_else(String::new, |uids| format!("task_uid_range = \"{uids}\"\n"));
    std::fs::write(&config, line + include_str!("faregate.toml")).map_err(DemoError::Files)?;
    let log = File::create(log_path(dir.path())).map_err(DemoError::Files)?;
    let mut child = Command::new("/proc/self/exe")
        .args(["serve", "--address", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path().join("data"))
        .arg("--config")
        .arg(config)
        .arg("--python")
        .arg(python.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        // a Ctrl-C is for the demo, which then ends its gateway in order
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(DemoError::Gateway)?;
    let stdout = child.stdout.take().ok_or_else(|| DemoError::NotReady(String::new()))?;
    let mut lines = BufReader::new(stdout).lines();
    let not_ready = || DemoError::NotReady(crate::logs::last_lines(&log_path(dir.path()), 0, 15));
    let line = timeout(READY, lines.next_line()).await.map_err(|_| not_ready())?.map_err(DemoError::Gateway)?;
    let address = line.as_deref().and_then(|line| line.strip_prefix(PREFIX)).ok_or_else(not_ready)?.to_owned();
    Ok(DemoGateway { address, dir, child, uids, _stdout: lines })
}

fn log_path(dir: &Path) -> PathBuf {
    dir.join("gateway.log")
}

impl DemoGateway {
    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The last lines of its log.
    pub fn last_lines(&self) -> String {
        crate::logs::last_lines(&log_path(self.dir.path()), 0, 15)
    }

    /// CPU time and memory of the gateway and of its proxy, so far.
    pub fn processes(&self) -> Vec<(String, String)> {
        let proxy = faregate_proxy::control::running(&self.dir.path().join("data")).ok().flatten().map(|info| info.pid);
        let gateway = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let both = [("gateway", gateway), ("proxy", proxy)];
        both.into_iter().filter_map(|(name, pid)| Some((name.to_owned(), took(pid?)?))).collect()
    }

    /// Stops it as a user would, and waits until it and all its clusters are gone. The directory stays until the result is dropped.
    pub async fn stop(mut self) -> Result<TempDir, DemoError> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            // an error says that it is gone already
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = timeout(REST, self.child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => {
                if let Some(uids) = &self.uids {
                    let data = self.dir.path().canonicalize().map_err(DemoError::Files)?.join("data");
                    release(&data, uids).map_err(DemoError::Files)?;
                }
                Ok(self.dir)
            }
            _ => Err(DemoError::NotStopped(self.last_lines())),
        }
    }
}

/// `0.21 CPU seconds, 14.2 MiB`.
fn took(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    let cpu = ticks / rustix::param::clock_ticks_per_second() as f64;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = rss.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(format!("{cpu:.2} CPU seconds, {:.1} MiB", kib / 1024.0))
}
