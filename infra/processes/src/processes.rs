//! What `/proc` says of processes. One is known by its id *and* its start time: ids are used again.
//!
//! Errors are passed on: not being able to look (no file descriptor left, say) is no sign that a process is gone.

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::{fs, io};

/// One process of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// When it was forked, in clock ticks since the machine started (field 22 of its `stat`).
    pub start: u64,
}

impl Process {
    /// The process that has this id now.
    pub fn of(pid: i32) -> io::Result<Option<Process>> {
        Ok(Stat::of(pid)?.map(|stat| stat.process))
    }

    /// Does it still run? A zombie does not.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(Stat::of(self.pid)?.is_some_and(|stat| stat.process == *self && !stat.zombie))
    }

    /// Whether it is stopped, and the processor time it has used, in clock ticks (a hundredth of a second); none = it is gone.
    pub fn usage(&self) -> io::Result<Option<Usage>> {
        let stat = Stat::of(self.pid)?.filter(|stat| stat.process == *self && !stat.zombie);
        Ok(stat.map(|Stat { stopped, ticks, .. }| Usage { stopped, ticks }))
    }

    /// A handle that stays with this very process; none = it is gone. Readable from its end on.
    pub fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(None),
            other => other?,
        };
        // Looked at after opening: the id cannot have been handed on in between.
        Ok(self.is_alive()?.then_some(fd))
    }

    /// Sends it a signal, and never one to a process that got its id later. Gone already is fine.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.open()?.map(|fd| pidfd_send_signal(fd, signal)) {
            None | Some(Ok(()) | Err(Errno::SRCH)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }
}

/// What a process makes of the processor. `/proc` tells it in ticks of `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Stopped by a signal (SIGSTOP) or a debugger.
    pub stopped: bool,
    /// Processor time used so far, in ticks.
    pub ticks: u64,
}

/// What one line of `/proc/<pid>/stat` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    process: Process,
    parent: i32,
    session: i32,
    /// Ended, not reaped, and no thread of it left.
    zombie: bool,
    /// Stopped by a signal or a debugger.
    stopped: bool,
    /// Processor time that it has used, in clock ticks.
    ticks: u64,
}

impl Stat {
    fn of(pid: i32) -> io::Result<Option<Stat>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(line) => Stat::parse(pid, &String::from_utf8_lossy(&line)).map(Some),
            Err(e) if e.kind() == io::ErrorKind::NotFound || Errno::from_io_error(&e) == Some(Errno::SRCH) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn parse(pid: i32, line: &str) -> io::Result<Stat> {
        let nonsense =
            || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat makes no sense: {line}"));
        // The second field is the program's name, which may hold anything: blanks and parentheses too.
        let fields: Vec<&str> = line.rsplit_once(')').ok_or_else(nonsense)?.1.split_ascii_whitespace().collect();
        let field = |n: usize| fields.get(n - 3).and_then(|f| f.parse::<i64>().ok()).ok_or_else(nonsense);
        let state = fields.first().ok_or_else(nonsense)?;
        Ok(Stat {
            process: Process { pid, start: field(22)? as u64 },
            parent: field(4)? as i32,
            session: field(6)? as i32,
            zombie: matches!(*state, "Z" | "X" | "x") && field(20)? <= 1,
            stopped: matches!(*state, "T" | "t"),
            ticks: (field(14)? + field(15)?) as u64,
        })
    }
}

/// All processes at one moment; not quite one, as `/proc` is read entry by entry.
pub struct Table(Vec<Stat>);

impl Table {
    /// Looks.
    pub fn read() -> io::Result<Table> {
        let mut table = Vec::new();
        for entry in fs::read_dir("/proc")? {
            if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                table.extend(Stat::of(pid)?);
            }
        }
        Ok(Table(table))
    }

    /// What runs of the session that `leader` founded, and what descends from it, without `leader` itself.
    pub fn members(&self, leader: &Process) -> Vec<Process> {
        // A session's number is not given to a process as long as the session has members.
        let reused = |stat: &Stat| stat.process.pid == leader.pid && stat.process.start != leader.start;
        if self.0.iter().any(reused) {
            return Vec::new();
        }
        let mut found = BTreeSet::from([leader.pid]);
        loop {
            let before = found.len();
            let belongs = |stat: &&Stat| stat.session == leader.pid || found.contains(&stat.parent);
            let more: Vec<i32> = self.0.iter().filter(belongs).map(|stat| stat.process.pid).collect();
            found.extend(more);
            if found.len() == before {
                break;
            }
        }
        let member = |stat: &&Stat| {
            found.contains(&stat.process.pid)
                && stat.process.pid != leader.pid
                && stat.process.start >= leader.start
                && !stat.zombie
        };
        self.0.iter().filter(member).map(|stat| stat.process).collect()
    }

    /// What runs with this line (`NAME=value`) in the environment it was started with, wherever it comes from. Processes that are
    /// not ours to look into have none.
    pub fn marked(&self, line: &str, since: &Process) -> io::Result<Vec<Process>> {
        let mut marked = Vec::new();
        for stat in self.0.iter().filter(|stat| stat.process.start >= since.start && !stat.zombie) {
            if environment(stat.process.pid)?.split(|byte| *byte == 0).any(|entry| entry == line.as_bytes()) {
                marked.push(stat.process);
            }
        }
        Ok(marked)
    }
}

fn environment(pid: i32) -> io::Result<Vec<u8>> {
    match fs::read(format!("/proc/{pid}/environ")) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(Vec::new()),
        Err(e) if Errno::from_io_error(&e) == Some(Errno::SRCH) => Ok(Vec::new()),
        other => other,
    }
}

/// Which start of the machine this is: ids and start times of another one mean nothing now.
pub fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: i32, parent: i32, session: i32, start: u64) -> Stat {
        Stat { process: Process { pid, start }, parent, session, zombie: false, stopped: false, ticks: 0 }
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let line = "77 (a) Z 1 (b) S 5 77 60 0 -1 4194304 99 0 0 0 0 0 0 0 20 0 3 0 199675 3133440 390";
        let expected = Stat {
            process: Process { pid: 77, start: 199_675 },
            parent: 5,
            session: 60,
            zombie: false,
            stopped: false,
            ticks: 0,
        };
        assert_eq!(Stat::parse(77, line).unwrap(), expected);
    }

    #[test]
    fn a_zombie_whose_threads_still_run_is_not_gone() {
        let line = |threads| format!("7 (x) Z 1 7 7 0 -1 4 99 0 0 0 0 0 0 0 20 0 {threads} 0 5 0 0");
        assert!(!Stat::parse(7, &line(2)).unwrap().zombie);
        assert!(Stat::parse(7, &line(1)).unwrap().zombie);
    }

    #[test]
    fn a_truncated_line_is_an_error_and_not_a_process() {
        assert_eq!(Stat::parse(7, "7 (x) S 1").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_process_is_not_the_one_that_had_its_id_before() {
        let me = Process::of(std::process::id() as i32).unwrap().unwrap();
        assert!(me.is_alive().unwrap());
        let before = Process { start: me.start - 1, ..me };
        assert!(!before.is_alive().unwrap());
        assert!(before.open().unwrap().is_none());
        // Would end this test run, were it sent.
        before.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn members_are_the_session_and_whoever_left_it_but_descends_from_it() {
        let leader = Process { pid: 10, start: 100 };
        let table = Table(vec![
            stat(1, 0, 1, 0),
            stat(10, 1, 10, 100),
            stat(11, 10, 10, 101),
            stat(12, 11, 12, 102), // a session of its own
            stat(13, 12, 12, 103),
            stat(14, 1, 10, 104), // its parent has ended
            stat(15, 1, 15, 105),
        ]);
        let pids: Vec<i32> = table.members(&leader).iter().map(|p| p.pid).collect();
        assert_eq!(pids, [11, 12, 13, 14]);
    }

    #[test]
    fn a_session_whose_number_was_given_to_another_process_is_gone() {
        let table = Table(vec![stat(10, 1, 10, 500), stat(11, 10, 10, 501)]);
        assert_eq!(table.members(&Process { pid: 10, start: 100 }), []);
    }
}
