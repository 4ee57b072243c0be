//! Is anything left of a gateway? Whatever it starts speaks of its data directory: in its command, its environment, or by
//! working there.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// A process that should not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its id.
    pub pid: i32,
    /// Its command.
    pub command: String,
}

/// Every process, save this one, that has to do with the directory.
pub fn find(dir: &Path) -> Vec<Leftover> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| u32::try_from(*pid) != Ok(own)).filter_map(|pid| check(pid, dir)).collect()
}

fn check(pid: i32, dir: &Path) -> Option<Leftover> {
    let proc = Path::new("/proc").join(pid.to_string());
    let needle = dir.as_os_str().as_encoded_bytes();
    let command = std::fs::read(proc.join("cmdline")).ok()?;
    let environment = std::fs::read(proc.join("environ")).unwrap_or_default();
    let mentions = |text: &[u8]| text.windows(needle.len()).any(|part| part == needle);
    let works_there = std::fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    // a zombie has neither command nor environment left
    let ours = mentions(&command) || mentions(&environment) || works_there;
    ours.then(|| Leftover { pid, command: String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned() })
}

/// Kills every one of them. How many there were.
pub fn kill(dir: &Path) -> usize {
    let found = find(dir);
    for pid in found.iter().filter_map(|leftover| Pid::from_raw(leftover.pid)) {
        // an error says that it is gone already
        let _ = kill_process(pid, Signal::KILL);
    }
    found.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn a_process_that_works_in_the_directory_or_names_it_is_found_and_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut there = Command::new("sleep").arg("600").current_dir(dir.path()).spawn().expect("started");
        let mut named = Command::new("sleep").arg("600").env("DIR", dir.path().join("x")).spawn().expect("started");
        let mut expected = [there.id() as i32, named.id() as i32];
        expected.sort_unstable();
        // a process shows its environment a moment after it was started
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut pids: Vec<i32> = Vec::new();
        while pids != expected && Instant::now() < deadline {
            pids = find(dir.path()).iter().map(|leftover| leftover.pid).collect();
            pids.sort_unstable();
        }
        assert_eq!(pids, expected);
        assert_eq!(kill(dir.path()), 2);
        assert!(!there.wait().expect("ended").success() && !named.wait().expect("ended").success());
        assert_eq!(find(dir.path()), []);
    }
}
