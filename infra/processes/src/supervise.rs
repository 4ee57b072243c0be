//! The supervisor: one small process per task, first of its session, that outlives the gateway and knows how its task ended.
//!
//! It runs nothing before its order has come through the pipe, and ends after the last of its descendants: as their
//! subreaper it inherits those whose parents end, so that none is lost from sight, not even in a session of its own.

use super::output::{Log, Pipe, is_empty};
use super::processes::{Process, Table};
use super::records::{Exit, Order, RunAs, Started, StopCode, TaskDir};
use super::wall_clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, setsid, umask, wait};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use rustix::{fs::Gid, fs::Uid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the supervisor says when it waits for its order.
pub(super) const READY: &str = "ready";
/// What it says when the command runs. Its end without this word: see `exit.json`.
pub(super) const STARTED: &str = "started";

const KILL_AGAIN: Duration = Duration::from_millis(100);

/// Supervises one task until nothing of it is left: the body of the hidden command `task <directory>`.
///
/// Speaks on standard output and takes its order from standard input: only the launcher can use it.
pub fn supervise(task_dir: &Path) -> ExitCode {
    match run(&TaskDir(task_dir.to_owned())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "faregate: the task in `{}` was not started: {error}", task_dir.display());
            ExitCode::FAILURE
        }
    }
}

fn run(dir: &TaskDir) -> io::Result<()> {
    // Before anyone can know of this process: from here on no request to stop is missed, or ends the supervisor itself.
    let signals = Signals::listen()?;
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    say(READY);
    let mut order = String::new();
    io::stdin().lock().read_line(&mut order)?;
    if !order.ends_with('\n') {
        return Ok(()); // the launcher is gone, and this task may not be on record
    }
    let order: Order = serde_json::from_str(&order)?;
    if signals.stop.load(Ordering::Relaxed) {
        let reason = "was stopped before it started".to_owned();
        return dir.write_exit(&Exit { at: wall_clock(), code: None, stop: StopCode::Stopped, reason });
    }
    let Pipe { read: output, write, inode } = Pipe::open(order.log.owner)?;
    if !dir.write_started(&Started { at: wall_clock(), output: Some((inode, order.log)) })? {
        return Ok(()); // nothing runs twice under one id
    }
    match start(write, &order) {
        Ok(main) => {
            say(STARTED);
            let log = Log::open(dir, order.log);
            let session = Session { dir, order: &order, main, phase: Phase::Running, asked: false, output, log };
            session.see_to_its_end(&signals);
            Ok(())
        }
        Err(error) => {
            let reason = format!("`{}` could not be started: {error}", order.command[0]);
            dir.write_exit(&Exit { at: wall_clock(), code: None, stop: StopCode::StartFailed, reason })
        }
    }
}

/// The launcher may have gone; nobody listening is fine.
fn say(word: &str) {
    let _ = writeln!(io::stdout(), "{word}");
}

/// The signals that concern a supervisor.
struct Signals {
    /// A byte for every signal.
    wake: UnixStream,
    /// SIGINT or SIGTERM has come: a request to stop. (SIGHUP is none.)
    stop: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> io::Result<Signals> {
        let (wake, ring) = UnixStream::pair()?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, stop.clone())?;
        }
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] {
            signal_hook::low_level::pipe::register(signal, ring.try_clone()?)?;
        }
        Ok(Signals { wake, stop })
    }

    /// Waits for the next signal or for output, until `deadline` at most. True when there is output.
    fn wait(&self, output: Option<&File>, deadline: Option<Instant>) -> bool {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() });
        let mut ready = vec![PollFd::new(&self.wake, PollFlags::IN)];
        ready.extend(output.map(|output| PollFd::new(output, PollFlags::IN)));
        // One that fails, on a signal most of all, is a wait that has ended.
        if poll(&mut ready, timeout.as_ref()).is_err() {
            return false;
        }
        if !ready[0].revents().is_empty() {
            let _ = (&self.wake).read(&mut [0; 64]);
        }
        ready.get(1).is_some_and(|output| !output.revents().is_empty())
    }
}

/// Starts the command, and gives its process id. Its output goes where `output` leads; nobody else is left who could write there.
fn start(output: OwnedFd, order: &Order) -> io::Result<i32> {
    let mut command = Command::new(&order.command[0]);
    command.args(&order.command[1..]).env_clear().envs(order.environment.iter().map(|(k, v)| (k, v)));
    command.current_dir(&order.directory).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    umask(Mode::from_raw_mode(order.umask));
    // where /proc cannot be written, the kernel has nothing but sizes to go by
    let _raised = OomScore::raise(order.oom_score_adj).ok();
    // Linux keeps users, groups, Landlock's domain and filters by thread: the child has those of the thread that forks it, the supervisor
    // stays as it is.
    let become_and_spawn = || {
        if let Some(user) = &order.user {
            become_user(user)?;
        }
        if let Some(confinement) = &order.confinement {
            confinement.apply().map_err(|error| io::Error::other(faregate_core::chain(&error)))?;
        }
        command.spawn()
    };
    let child = std::thread::scope(|scope| scope.spawn(become_and_spawn).join())
        .unwrap_or_else(|_| Err(io::Error::other("the starting thread panicked")))?;
    Ok(child.id() as i32)
}

/// The supervisor's own score while it forks: what it starts inherits it from its first moment. Dropped, the supervisor has its own again.
struct OomScore(i32);

impl OomScore {
    const FILE: &str = "/proc/self/oom_score_adj";
    /// The kernel's highest.
    const MOST: i32 = 1000;

    fn raise(by: i32) -> io::Result<OomScore> {
        let own: i32 = std::fs::read_to_string(Self::FILE)?.trim().parse().map_err(io::Error::other)?;
        std::fs::write(Self::FILE, (own + by).min(Self::MOST).to_string())?;
        Ok(OomScore(own))
    }
}

impl Drop for OomScore {
    fn drop(&mut self) {
        // no right is needed to go back to what one was started with
        let _ = std::fs::write(Self::FILE, self.0.to_string());
    }
}

/// From here on this thread is that user, for good, with none of root's rights; what it forks too.
pub(super) fn become_user(user: &RunAs) -> io::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let failed = |call: &str, error: Errno| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("{call} as uid {}: {error}", user.uid))
    };
    set_thread_groups(&groups).map_err(|error| failed("setgroups", error))?;
    set_thread_res_gid(gid, gid, gid).map_err(|error| failed("setresgid", error))?;
    set_thread_res_uid(uid, uid, uid).map_err(|error| failed("setresuid", error))
}

/// How far the end of a task has come; each step has its own patience.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Running,
    /// The command got SIGINT.
    Interrupted(Instant),
    /// Everything left got SIGTERM.
    Terminating(Instant),
    /// Everything left gets SIGKILL, again and again.
    Killing(Instant),
}

struct Session<'a> {
    dir: &'a TaskDir,
    order: &'a Order,
    main: i32,
    phase: Phase,
    asked: bool,
    output: File,
    log: Log,
}

impl Session<'_> {
    fn see_to_its_end(mut self, signals: &Signals) {
        // who prints without end must not keep anything else from being seen, and the other way round: they take turns
        let mut may_speak = true;
        while self.reap() {
            if self.phase == Phase::Running && signals.stop.load(Ordering::Relaxed) {
                self.asked = true;
                self.interrupt();
            }
            let deadline = match self.phase {
                Phase::Running => None,
                Phase::Interrupted(at) | Phase::Terminating(at) | Phase::Killing(at) => Some(at),
            };
            if deadline.is_some_and(|at| at <= Instant::now()) {
                if matches!(self.phase, Phase::Interrupted(_)) {
                    self.terminate()
                } else {
                    self.kill()
                }
                continue;
            }
            if signals.wait(may_speak.then_some(&self.output), deadline) {
                may_speak = self.log.take(&mut self.output).unwrap_or_else(|error| is_empty(&error));
            }
        }
        self.log.take_all(&mut self.output);
    }

    /// Buries the dead. False when nobody is left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_pid() == self.main => self.ended(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false, // ECHILD
            }
        }
    }

    fn ended(&mut self, status: WaitStatus) {
        let exit = describe(status, self.asked, matches!(self.phase, Phase::Killing(_)));
        if let Err(error) = self.dir.write_exit(&exit) {
            self.note(&format!("how the command ended was not recorded ({}): {error}", exit.reason));
        }
        if matches!(self.phase, Phase::Running | Phase::Interrupted(_)) {
            self.terminate(); // what the command left behind
        }
    }

    fn interrupt(&mut self) {
        if let Ok(Some(main)) = Process::of(self.main) {
            let _ = main.signal(Signal::INT);
        }
        self.phase = Phase::Interrupted(Instant::now() + Duration::from_millis(self.order.sigint_timeout_ms));
    }

    fn terminate(&mut self) {
        self.signal_all(Signal::TERM);
        self.phase = Phase::Terminating(Instant::now() + Duration::from_millis(self.order.sigterm_timeout_ms));
    }

    fn kill(&mut self) {
        self.signal_all(Signal::KILL);
        self.phase = Phase::Killing(Instant::now() + KILL_AGAIN);
    }

    fn signal_all(&mut self, signal: Signal) {
        let me = Process::of(getpid().as_raw_pid()).ok().flatten();
        let members = me.map(|me| Table::read().map(|table| table.members(&me)));
        match members {
            Some(Ok(members)) => members.iter().for_each(|member| {
                let _ = member.signal(signal); // the next round tries again
            }),
            Some(Err(error)) => self.note(&format!("the session's processes were not found: {error}")),
            None => {}
        }
    }

    /// The task's log is the only place where anyone would look.
    fn note(&mut self, message: &str) {
        self.log.write(format!("faregate: {message}\n").as_bytes());
    }
}

fn describe(status: WaitStatus, asked: bool, forced: bool) -> Exit {
    let signal = status.terminating_signal();
    let code = signal.map(|n| 128 + n).or_else(|| status.exit_status());
    let out_of_memory = "which the gateway did not send: the machine may have run out of memory";
    let (stop, reason) = match (asked, signal, code) {
        (true, ..) if forced => {
            (StopCode::Stopped, "stopped on request, by SIGKILL after SIGINT and SIGTERM".to_owned())
        }
        (true, ..) => (StopCode::Stopped, "stopped on request".to_owned()),
        (false, Some(9), _) => (StopCode::Killed, format!("killed by SIGKILL, {out_of_memory}")),
        (false, Some(n), _) => (StopCode::Killed, format!("killed by signal {n}, which the gateway did not send")),
        (false, None, Some(137)) => {
            (StopCode::Exited, format!("exited with code 137, as after a SIGKILL, {out_of_memory}"))
        }
        (false, None, code) => (StopCode::Exited, format!("exited with code {}", code.unwrap_or_default())),
    };
    Exit { at: wall_clock(), code, stop, reason }
}
