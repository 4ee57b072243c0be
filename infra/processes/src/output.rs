//! A task's output on its way to its log: through a pipe that its supervisor reads, into files of bounded length and number.
//!
//! Whoever writes into the pipe holds it open for reading too. So nobody who prints is killed by SIGPIPE when the supervisor is, and
//! the launcher finds the pipe by its inode and reads on ([`take_over`]).

use super::processes::Process;
use super::records::{LogRule, Owner, TaskDir};
use rustix::fs::{Mode, OFlags, fchmod, fstat, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::PathBuf;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;
/// Kept of a log's end: this many lines, of so many characters.
const LAST_LINES: usize = 20;
const LINE_LENGTH: usize = 500;

/// Both ends of a task's output.
pub struct Pipe {
    /// The supervisor's; reading does not wait.
    pub read: File,
    /// The task's, for standard output and standard error.
    pub write: OwnedFd,
    /// By this it is found again.
    pub inode: u64,
}

impl Pipe {
    /// Makes one. Its `owner` can open it by `/dev/stdout`.
    pub fn open(owner: Option<Owner>) -> io::Result<Pipe> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        if let Some((user, group)) = owner {
            fchown(&write, Some(user), Some(group))?;
        }
        fchmod(&write, Mode::RUSR | Mode::WUSR)?;
        let both = open(format!("/proc/self/fd/{}", write.as_raw_fd()), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        // the waiting of one end is not that of the other: each was opened by itself
        rustix::io::ioctl_fionbio(&read, true)?;
        let inode = fstat(&read)?.st_ino;
        Ok(Pipe { read: read.into(), write: both, inode })
    }
}

/// A task's log: `log`, and older parts `log.1`, `log.2` …
pub struct Log {
    path: PathBuf,
    rule: LogRule,
    file: Option<File>,
    length: u64,
    /// Bytes that could not be written, and why not.
    lost: u64,
    why: String,
}

impl Log {
    /// Opens it, at its end. A file that cannot be opened is tried again with the next output.
    pub fn open(dir: &TaskDir, rule: LogRule) -> Log {
        let mut log = Log { path: dir.log(), rule, file: None, length: 0, lost: 0, why: String::new() };
        // what is lost is told later
        let _ = log.reopen();
        log
    }

    fn reopen(&mut self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let file = options.open(&self.path)?;
        if let Some((user, group)) = self.rule.owner {
            fchown(&file, Some(user), Some(group))?;
        }
        self.length = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Takes in output. Never fails: what finds no room is counted, and told of when there is room again.
    pub fn write(&mut self, mut output: &[u8]) {
        if self.lost > 0 {
            let note = format!("faregate: {} bytes of output were lost: {}\n", self.lost, self.why);
            if self.put(note.as_bytes()).is_ok() {
                self.lost = 0;
            }
        }
        while !output.is_empty() {
            match self.put(output) {
                Ok(written) => output = &output[written..],
                Err(error) => {
                    self.lost += output.len() as u64;
                    self.why = error.to_string();
                    return;
                }
            }
        }
    }

    /// Writes as much as the file may take.
    fn put(&mut self, output: &[u8]) -> io::Result<usize> {
        if self.length >= self.rule.bytes {
            self.rotate()?;
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        let room = usize::try_from(self.rule.bytes.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        match file.write(&output[..output.len().min(room.max(1))])? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => {
                self.length += written as u64;
                Ok(written)
            }
        }
    }

    /// The oldest part goes, each of the others gets older.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for age in (1..self.rule.files.max(1)).rev() {
            match fs::rename(part(&self.path, age - 1), part(&self.path, age)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.rule.files <= 1 {
            fs::remove_file(&self.path)?;
        }
        self.reopen()
    }

    /// Takes in what a pipe holds now. False at its end: nobody is left who could write.
    pub fn take(&mut self, pipe: &mut File) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        match pipe.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.write(&chunk[..read]);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in everything that a pipe holds.
    pub fn take_all(&mut self, pipe: &mut File) {
        // at its end, or empty
        while matches!(self.take(pipe), Ok(true)) {}
    }
}

/// A part of a log by its age; 0 = the log itself.
fn part(log: &std::path::Path, age: u32) -> PathBuf {
    match age {
        0 => log.to_owned(),
        age => log.with_extension(age.to_string()),
    }
}

/// The end of a log, as text, whatever part it is in.
pub fn last_lines(dir: &TaskDir) -> io::Result<Vec<String>> {
    let log = dir.log();
    let mut end = tail(&log)?;
    if end.iter().filter(|byte| **byte == b'\n').count() <= LAST_LINES && end.len() < CHUNK {
        end.splice(0..0, tail(&part(&log, 1))?);
    }
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<String> = text.lines().map(|line| line.chars().take(LINE_LENGTH).collect()).collect();
    Ok(lines[lines.len().saturating_sub(LAST_LINES)..].to_vec())
}

fn tail(path: &std::path::Path) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(CHUNK as u64)))?;
    let mut end = Vec::new();
    file.take(CHUNK as u64).read_to_end(&mut end)?;
    Ok(end)
}

/// Reads on where a supervisor was killed, on a thread of its own, until nobody is left who could write. `members`: what runs of the
/// task. None when none of them has the pipe.
pub fn take_over(dir: &TaskDir, members: &[Process]) -> io::Result<Option<std::thread::JoinHandle<()>>> {
    let Some((inode, rule)) = dir.started()?.and_then(|started| started.output) else { return Ok(None) };
    let Some(mut pipe) = members.iter().find_map(|member| reopen(member.pid, inode)) else { return Ok(None) };
    let mut log = Log::open(dir, rule);
    let thread = std::thread::Builder::new().name("task-output".to_owned());
    thread.spawn(move || while matches!(log.take(&mut pipe), Ok(true)) {}).map(Some)
}

/// Another end of the pipe that a process has for its output.
fn reopen(pid: i32, inode: u64) -> Option<File> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let wanted = format!("pipe:[{inode}]");
    let path = descriptors
        .flatten()
        .map(|entry| entry.path())
        .find(|path| fs::read_link(path).is_ok_and(|link| link.to_str() == Some(&wanted)))?;
    // opening a pipe for reading waits for nobody who writes: there is one
    let pipe = open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).ok()?;
    let is_it = fstat(&pipe).is_ok_and(|stat| stat.st_ino == inode);
    rustix::io::ioctl_fionbio(&pipe, false).ok()?;
    is_it.then(|| pipe.into())
}

/// Does an error of a read say that there is nothing to read now?
pub fn is_empty(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AGAIN | Errno::INTR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &std::path::Path, bytes: u64, files: u32) -> Log {
        Log::open(&TaskDir(dir.to_owned()), LogRule { bytes, files, owner: None })
    }

    fn sizes(dir: &std::path::Path) -> Vec<(String, u64)> {
        let size = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        };
        let mut sizes: Vec<_> = fs::read_dir(dir).unwrap().map(size).collect();
        sizes.sort();
        sizes
    }

    #[test]
    fn a_log_takes_no_more_than_its_files_may_and_ends_with_what_came_last() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(dir.path(), 1_000, 3);
        for n in 0..10_000 {
            log.write(format!("line {n}\n").as_bytes());
        }
        let sizes = sizes(dir.path());
        assert_eq!(sizes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["log", "log.1", "log.2"]);
        assert!(sizes.iter().all(|(_, length)| *length <= 1_000), "{sizes:?}");
        let last = last_lines(&TaskDir(dir.path().to_owned())).unwrap();
        assert_eq!((last.len(), last[0].as_str(), last[19].as_str()), (20, "line 9980", "line 9999"));
    }

    #[test]
    fn one_write_longer_than_all_files_leaves_its_end() {
        let dir = tempfile::tempdir().unwrap();
        log(dir.path(), 100, 2).write(&[b"x".repeat(5_000), b"\nthe end\n".to_vec()].concat());
        assert!(sizes(dir.path()).iter().all(|(_, length)| *length <= 100));
        assert_eq!(last_lines(&TaskDir(dir.path().to_owned())).unwrap().last().unwrap(), "the end");
    }

    #[test]
    fn a_log_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        log(dir.path(), 100, 2).write(&b"x".repeat(90));
        log(dir.path(), 100, 2).write(&b"y".repeat(90));
        assert_eq!(sizes(dir.path()), [("log".to_owned(), 80), ("log.1".to_owned(), 100)]);
    }

    #[test]
    fn output_that_finds_no_room_is_counted_and_told_of_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let mut log = log(&missing, 1_000, 2);
        log.write(b"lost\n");
        fs::create_dir(&missing).unwrap();
        log.write(b"kept\n");
        let said = fs::read_to_string(missing.join("log")).unwrap();
        assert!(said.starts_with("faregate: 5 bytes of output were lost: ") && said.ends_with("\nkept\n"), "{said}");
    }

    #[test]
    fn whoever_prints_is_not_killed_when_nobody_reads_and_what_they_print_can_be_read_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let task = TaskDir(dir.path().to_owned());
        let pipe = Pipe::open(None).unwrap();
        let rule = LogRule { bytes: 1_000, files: 2, owner: None };
        task.write_started(&super::super::records::Started { at: 1, output: Some((pipe.inode, rule)) }).unwrap();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "read go; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"]);
        let mut child = command.stdin(std::process::Stdio::piped()).stdout(pipe.write).spawn().unwrap();
        drop(command);
        drop(pipe.read);
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let process = Process::of(child.id() as i32).unwrap().unwrap();
        let reader = take_over(&task, &[process]).unwrap().expect("the pipe is found");
        assert!(child.wait().unwrap().success());
        reader.join().unwrap();
        assert_eq!(last_lines(&task).unwrap().last().unwrap(), "line 19999");
    }
}
