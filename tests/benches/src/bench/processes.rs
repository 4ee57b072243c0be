//! Processes as `/proc` shows them: whose they are, their CPU time, memory, descriptors and ports.
//!
//! Everything the bench starts carries a mark in its environment, and so does what that starts in turn: a gateway's own processes
//! one, its tasks another. So all processes of a gateway are counted, however it starts them, and none is left behind.

use crate::failure::{Context, Outcome};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::time::{Duration, Instant};

/// The variable that marks processes of a gateway.
pub const GATEWAY_MARK: &str = "BENCH_GATEWAY_OF";
/// The variable that marks a gateway's tasks. Not one of `FAREGATE_…`: those that a configuration sets do not reach tasks.
pub const TASK_MARK: &str = "BENCH_TASK_OF";

/// Processes whose environment has `variable` with this value.
pub fn marked(variable: &str, value: &str) -> Vec<i32> {
    let entry = format!("{variable}={value}");
    having(|variable| variable == entry.as_bytes())
}

fn having(wanted: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| environ.split(|byte| *byte == 0).any(&wanted))
    })
    .collect()
}

/// Kills what is left of a run: every process with a mark whose value starts with the run's name.
pub fn kill_all_of(run: &str) {
    let marks = [format!("{GATEWAY_MARK}={run}"), format!("{TASK_MARK}={run}")];
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left = having(|variable| marks.iter().any(|mark| variable.starts_with(mark.as_bytes())));
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in left {
            signal(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal; a process that is gone needs none.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// CPU seconds (user and system, all threads) of each of these processes that lives.
pub fn cpu_seconds(pids: &[i32]) -> BTreeMap<i32, f64> {
    let tick = 1.0 / rustix::param::clock_ticks_per_second() as f64;
    let of = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // the name in parentheses may hold anything
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        Some((*pid, ticks as f64 * tick))
    };
    pids.iter().filter_map(of).collect()
}

/// What a process weighs.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// Resident memory, in bytes.
    pub rss: f64,
    /// Resident memory, shared pages divided by their users, in bytes.
    pub pss: f64,
    /// Open file descriptors.
    pub descriptors: f64,
}

/// The weight of a process.
pub fn weight(pid: i32) -> Outcome<Weight> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).context(|| format!("`{path}` cannot be read"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<f64>().ok());
        kib.map(|kib| kib * 1024.0).context(|| format!("`{path}` has no `{name}`"))
    };
    let path = format!("/proc/{pid}/fd");
    let descriptors = fs::read_dir(&path).context(|| format!("`{path}` cannot be read"))?.count() as f64;
    Ok(Weight { rss: field("Rss:")?, pss: field("Pss:")?, descriptors })
}

/// Which of these processes listens at an IPv4 port; of several, the last started.
pub fn listener(pids: &[i32], port: u16) -> Option<i32> {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let sockets: HashSet<String> = table
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[3] == LISTEN && fields[1].ends_with(&format!(":{port:04X}")))
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect();
    let holds = |pid: &&i32| {
        let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        links.filter_map(|link| fs::read_link(link.path()).ok()).any(|to| sockets.contains(&*to.to_string_lossy()))
    };
    pids.iter().filter(holds).max().copied()
}
