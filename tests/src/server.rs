//! A real `faregate serve`, as a process, on a free port and in a directory of its own.

mod machine;

pub use machine::{binary, eventually, passable_dir, signal_scheduler, with_own_uids};

use crate::python;
use base64::Engine;
use faregate_cli::demo::leftovers;
use faregate_cli::python::PythonEnv;
use faregate_processes::identity::{UidRange, release};
use faregate_proxy::control::{ProxyInfo, running};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Whatever a test waits for happens within this time, also on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The gateway. Dropped, it is killed with all that it started.
pub struct Server {
    /// `http://127.0.0.1:<port><prefix>`.
    pub address: String,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Its process (the last one's, once it has ended).
    pub pid: u32,
    dir: TempDir,
    python: PythonEnv,
    log_level: &'static str,
    /// Under which uid it runs; none = ours.
    uid: Option<u32>,
    environment: Vec<(&'static str, PathBuf)>,
    child: Option<Child>,
    open_files: Option<u32>,
}

impl Server {
    /// Starts one with this configuration, and waits until it is ready. Clusters run the official pin of dask.
    pub fn start(config_toml: &str) -> Server {
        Server::start_with(config_toml, python::dask(python::DASK_VERSIONS[0]))
    }

    /// The same, with clusters in another environment.
    pub fn start_with(config_toml: &str, python: PythonEnv) -> Server {
        Server::start_logging("info", config_toml, python)
    }

    /// The same, with logs of this level.
    pub fn start_logging(log_level: &'static str, config_toml: &str, python: PythonEnv) -> Server {
        let dir = passable_dir("faregate-test-");
        let data_dir = dir.path().join("data");
        Server::start_there(dir, data_dir, log_level, config_toml, python)
    }

    /// The same, with a data directory of this name.
    pub fn start_in(name: &str, config_toml: &str) -> Server {
        let dir = passable_dir("faregate-test-");
        let data_dir = dir.path().join(name);
        Server::start_there(dir, data_dir, "info", config_toml, python::dask(python::DASK_VERSIONS[0]))
    }

    /// The same, with a data directory at this place.
    pub fn start_at(data_dir: &Path, config_toml: &str) -> Server {
        let dir = passable_dir("faregate-test-");
        Server::start_there(dir, data_dir.to_owned(), "info", config_toml, python::dask(python::DASK_VERSIONS[0]))
    }

    fn start_there(
        dir: TempDir,
        data_dir: PathBuf,
        log_level: &'static str,
        config_toml: &str,
        python: PythonEnv,
    ) -> Server {
        let mut server = Server {
            address: String::new(),
            data_dir,
            pid: 0,
            dir,
            python,
            log_level,
            uid: None,
            environment: Vec::new(),
            child: None,
            open_files: None,
        };
        server.configure(config_toml);
        server.run();
        server
    }

    /// The same, with a hard limit of open files for it and all that it starts.
    pub fn start_with_open_files(most: u32, config_toml: &str) -> Server {
        let mut server = Server::start(config_toml);
        server.stop();
        server.open_files = Some(most);
        server.run();
        server
    }

    /// One person's: started under a uid that is not root's, in a home of its own with the data directory at its usual place. Needs root.
    pub fn start_as_person(config_toml: &str, python: PythonEnv) -> Server {
        let mut server = Server::of_person(config_toml, python);
        server.run();
        server
    }

    /// The same, not started.
    pub fn of_person(config_toml: &str, python: PythonEnv) -> Server {
        assert!(rustix::process::geteuid().is_root(), "only root can start something as somebody else");
        static PEOPLE: AtomicU32 = AtomicU32::new(0);
        let uid = 2_100_000_000 + std::process::id() % 400_000 * 100 + PEOPLE.fetch_add(1, Ordering::Relaxed) % 100;
        let dir = passable_dir("faregate-test-");
        let data_dir = dir.path().join("home/.local/share/faregate");
        for path in ["home", "home/.local", "home/.local/share"].map(|path| dir.path().join(path)) {
            std::fs::create_dir(&path).unwrap();
            std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
        }
        let server = Server {
            address: String::new(),
            data_dir,
            pid: 0,
            dir,
            python,
            log_level: "info",
            uid: Some(uid),
            environment: Vec::new(),
            child: None,
            open_files: None,
        };
        std::fs::write(server.dir.path().join("faregate.toml"), config_toml).unwrap();
        server
    }

    /// The directory that everything of it is in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The uid it runs under, where that is not ours.
    pub fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// The same, on a machine whose clock can be set: [`Server::set_clock`]. Needs Debian's package `faketime`.
    pub fn start_with_clock(config_toml: &str, python: PythonEnv) -> Server {
        let library = Path::new("/usr/lib").read_dir().unwrap().flatten();
        let library = library.map(|entry| entry.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
        let library = library.expect("libfaketime is installed (Debian's package `faketime`)");
        let mut server = Server::start_with(config_toml, python);
        server.stop();
        server.set_clock("+0");
        let yes = || PathBuf::from("1");
        server.environment = vec![
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", server.dir.path().join("clock")),
            ("FAKETIME_NO_CACHE", yes()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", yes()),
            ("DONT_FAKE_MONOTONIC", yes()),
        ];
        server.run();
        server
    }

    /// Sets the clock of the gateway's machine to so much before (`-10m`) or after (`+1h`) the true time.
    pub fn set_clock(&self, to: &str) {
        let new = self.dir.path().join("clock.new");
        std::fs::write(&new, format!("{to}\n")).unwrap();
        std::fs::rename(new, self.dir.path().join("clock")).unwrap();
    }

    /// `faregate admin …` on its data directory, with this on standard input: what it prints. Panics if it fails.
    pub fn admin(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(binary());
        command.args(["admin", "--data-dir"]).arg(&self.data_dir).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// `faregate admin …`, whether it succeeds or not: what it says on standard error.
    pub fn admin_says(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(binary());
        command.args(["admin", "--data-dir"]).arg(&self.data_dir).args(arguments);
        String::from_utf8_lossy(&command.stdin(Stdio::null()).output().unwrap().stderr).into_owned()
    }

    /// Writes another configuration, for the next start.
    pub fn configure(&self, config_toml: &str) {
        std::fs::write(self.dir.path().join("faregate.toml"), with_own_uids(config_toml)).unwrap();
    }

    /// SIGKILL to the gateway alone; proxy, schedulers and workers live on.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("the gateway runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again on the same data directory (after [`Server::kill9`], or in order if it still runs), and waits until it is ready.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
        self.run();
    }

    /// SIGTERM, and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the gateway runs");
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > deadline => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the gateway does not stop:\n{}", self.log());
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Everything it has logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("gateway.log")).unwrap_or_default()
    }

    /// Its proxy, while one runs.
    pub fn proxy(&self) -> Option<ProxyInfo> {
        running(&self.data_dir).expect("the proxy can be looked at")
    }

    /// What runs and has to do with it: itself, the proxy, supervisors, schedulers, workers.
    pub fn processes(&self) -> Vec<leftovers::Leftover> {
        let mut found = leftovers::find(self.dir.path());
        if !self.data_dir.starts_with(self.dir.path()) {
            found.extend(leftovers::find(&self.data_dir));
        }
        found
    }

    /// `GET` without credentials: status and body.
    pub fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    /// A request by a user of this name, without a password: status and body.
    pub fn call(&self, method: &str, path: &str, user: &str, body: &str) -> std::io::Result<(u16, String)> {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:"));
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nAuthorization: Basic {credentials}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n"
        );
        self.send(&head, body)
    }

    fn send(&self, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        let authority = self.address.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let mut stream = TcpStream::connect(authority.parse::<SocketAddr>().unwrap())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "{head}Host: {authority}\r\nConnection: close\r\n\r\n{body}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
    }

    /// Another gateway on the same data directory and configuration, at this address: what it says when it ends.
    ///
    /// # Panics
    ///
    /// When it goes on serving.
    pub fn another(&self, address: &str) -> Output {
        let path = self.dir.path().join("another.log");
        let log = File::create(&path).unwrap();
        let mut child = self.command(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Output { status, stdout: Vec::new(), stderr: std::fs::read(&path).unwrap() };
            }
            if Instant::now() > deadline {
                let _ = (child.kill(), child.wait());
                panic!("another gateway goes on serving:\n{}", std::fs::read_to_string(&path).unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn command(&self, address: &str) -> Command {
        let mut command = Command::new(binary());
        command
            .args(["serve", "--address", address, "--data-dir"])
            .arg(&self.data_dir)
            .arg("--config")
            .arg(self.dir.path().join("faregate.toml"))
            .arg("--python")
            .arg(self.python.dir())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("RUST_LOG", self.log_level);
        if let Some(uid) = self.uid {
            let home = self.dir.path().join("home");
            command.uid(uid).gid(uid).env("HOME", &home).current_dir(home);
        }
        command
    }

    fn run(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.path().join("gateway.log")).unwrap();
        let mut command = self.command("127.0.0.1:0");
        if let Some(most) = self.open_files {
            let mut limited = Command::new("sh");
            limited.arg("-c").arg(format!("ulimit -n {most} && exec \"$0\" \"$@\"")).arg(command.get_program());
            limited.args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => limited.env(name, value),
                    None => limited.env_remove(name),
                };
            }
            command = limited;
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        self.pid = child.id();
        let stdout = child.stdout.take().expect("a pipe");
        self.child = Some(child);
        let (send, ready) = mpsc::channel();
        // reads to the end, so that the gateway can always write
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let line = ready.recv_timeout(PATIENCE).unwrap_or_default();
        match line.strip_prefix("faregate is ready at ") {
            Some(address) => self.address = address.to_owned(),
            None => panic!("the gateway is not ready, it said `{line}`:\n{}", self.log()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        kill_all(self.dir.path());
        kill_all(&self.data_dir);
        // nothing of it is left: others may have its users' uids
        if let Ok(data_dir) = self.data_dir.canonicalize() {
            let _ = release(&data_dir, &UidRange { first: 1_880_000_000, last: 2_147_352_575 });
        }
    }
}

/// Kills what has to do with the directory, until nothing does: a supervisor may be starting something at this moment.
fn kill_all(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while leftovers::kill(dir) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}
