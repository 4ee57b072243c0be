//! The processes of tasks: started in a group of their own, found by their environment, ended together.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// How often processes are looked for before they are given up.
const ROUNDS: u32 = 500;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Starts a command in a directory of its own, its output going to a file.
pub fn start(command: &[String], environment: &BTreeMap<String, String>, dir: &Path, log: &Path) -> io::Result<Child> {
    let program = command.first().ok_or_else(|| io::Error::other("no command specified"))?;
    let program = find(program, environment.get("PATH").map_or("", String::as_str))
        .ok_or_else(|| io::Error::other(format!("exec: \"{program}\": executable file not found in $PATH")))?;
    fs::create_dir_all(dir)?;
    let output = File::create(log)?;
    Command::new(program)
        .args(&command[1..])
        .env_clear()
        .envs(environment)
        .current_dir(dir)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

fn find(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into());
    }
    path.split(':').map(|dir| Path::new(dir).join(program)).find(|file| file.is_file())
}

/// An exit code as a container's: 128 and the signal if it was killed.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Signals one process. One that is gone is fine.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Kills a process group.
pub fn kill_group(group: i32) {
    if let Some(group) = Pid::from_raw(group) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Kills a process group, and every process whose metadata endpoint begins with `endpoint`, also those
/// that left the group.
pub fn kill_all(group: Option<i32>, endpoint: &str) {
    group.into_iter().for_each(kill_group);
    // Until two looks in a row find none: one may have forked just before it was killed, and one that is just
    // becoming another program has no environment for a moment.
    let mut empty = 0;
    for _ in 0..ROUNDS {
        let found = marked(endpoint);
        empty = if found.is_empty() { empty + 1 } else { 0 };
        if empty == 2 {
            return;
        }
        found.iter().for_each(|pid| signal(*pid, Signal::KILL));
        std::thread::sleep(PAUSE);
    }
    tracing::error!("processes of {endpoint} live on: {:?}", marked(endpoint));
}

/// The living processes whose metadata endpoint begins with `endpoint`. A zombie has no environment.
pub fn marked(endpoint: &str) -> Vec<i32> {
    let (own, marker) = (std::process::id() as i32, format!("ECS_CONTAINER_METADATA_URI_V4={endpoint}"));
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter(|pid| *pid != own);
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(marker.as_bytes()))
    };
    pids.filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_path_given() {
        assert_eq!(find("sh", "/nowhere:/bin"), Some("/bin/sh".into()));
        assert_eq!((find("sh", "/nowhere"), find("/x/y", "")), (None, Some("/x/y".into())));
    }

    #[test]
    fn a_killed_process_has_the_exit_code_of_its_signal() {
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
    }
}
