//! A killable gateway under care: whenever it was killed, it is started again, and kills itself no more.

use super::http::request;
use super::{KILL_AT, KILL_DIR, PHASE, Point, TRACE};
use crate::server::{PATIENCE, passable_dir, with_own_uids};
use faregate_cli::demo::leftovers;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `kim:`, without a password.
const KIM: &str = "Basic a2ltOg==";
/// Between two looks at something.
pub const LOOK: Duration = Duration::from_millis(15);

/// The programs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `killable`.
    pub killable: PathBuf,
    /// `light-dask`.
    pub dask: PathBuf,
}

/// The gateway, and whoever starts it again. Dropped, all that it started is killed.
pub struct Gateway {
    /// Its data directory.
    pub data_dir: PathBuf,
    shared: Arc<Mutex<Shared>>,
    care: Option<JoinHandle<()>>,
    dir: TempDir,
}

struct Shared {
    /// The gateway's address, once it has been ready.
    address: Option<String>,
    /// The process.
    pid: Option<Pid>,
    /// Where the next one kills itself.
    next: Option<Point>,
    /// How many were killed by now.
    deaths: u32,
    /// It is not started again.
    closing: bool,
    /// It ended in another way.
    failed: Option<String>,
}

impl Gateway {
    /// Starts one that kills itself at this point of the phase `start` or a later one.
    pub fn start(programs: &Programs, at: Option<Point>) -> Gateway {
        let dir = passable_dir("faregate-kill-");
        let bin = dir.path().join("python/bin");
        std::fs::create_dir_all(&bin).unwrap();
        for name in ["dask", "python"] {
            link_or_copy(&programs.dask, &bin.join(name));
        }
        std::fs::write(
            dir.path().join("faregate.toml"),
            with_own_uids(
                "check_period = 0.4\nsigint_timeout = 1\nsigterm_timeout = 1\ncluster_heartbeat_period = 0.3\n",
            ),
        )
        .unwrap();
        let shared = Shared { address: None, pid: None, next: at, deaths: 0, closing: false, failed: None };
        let shared = Arc::new(Mutex::new(shared));
        let mut gateway = Gateway { data_dir: dir.path().join("data"), shared: shared.clone(), care: None, dir };
        gateway.enter("start");
        let (dir, program) = (gateway.dir.path().to_owned(), programs.killable.clone());
        gateway.care = Some(spawn(move || care(&dir, &program, &shared)));
        gateway
    }

    /// From now on it is this phase.
    pub fn enter(&self, phase: &str) {
        let draft = self.dir.path().join("phase.new");
        std::fs::write(&draft, phase).unwrap();
        std::fs::rename(draft, self.dir.path().join(PHASE)).unwrap();
    }

    /// SIGKILL; the next one kills itself at this point.
    pub fn kill(&self, next: Option<Point>) {
        let mut shared = self.shared.lock().unwrap();
        shared.next = next;
        if let Some(pid) = shared.pid.take() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// SIGKILL, for good.
    pub fn end(&mut self) {
        self.shared.lock().unwrap().closing = true;
        self.kill(None);
        self.care.take().map(JoinHandle::join).transpose().unwrap();
    }

    /// How many gateways were killed so far.
    pub fn deaths(&self) -> u32 {
        self.shared.lock().unwrap().deaths
    }

    /// A user's request; none = it was not answered, or only by the proxy.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, serde_json::Value)> {
        let address = self.shared.lock().unwrap().address.clone()?;
        let (status, body) = request(method, &format!("{address}/api/v1/clusters/{path}"), KIM, body).ok()?;
        (status < 500).then(|| (status, serde_json::from_str(&body).unwrap_or_default()))
    }

    /// Asks until there is an answer.
    pub fn answer(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        self.wait(&format!("an answer to {method} /{path}"), || self.ask(method, path, body))
    }

    /// Looks until something is there.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let failed = self.shared.lock().unwrap().failed.clone();
            assert!(failed.is_none(), "{}", failed.unwrap_or_default());
            assert!(Instant::now() < deadline, "{what}: not within {} seconds", PATIENCE.as_secs());
            sleep(LOOK);
        }
    }

    /// Every call so far: `<phase> <call>`.
    pub fn trace(&self) -> String {
        std::fs::read_to_string(self.dir.path().join(TRACE)).unwrap_or_default()
    }

    /// What all gateways have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("gateway.log")).unwrap_or_default()
    }

    /// All processes that have to do with it.
    pub fn processes(&self) -> Vec<leftovers::Leftover> {
        leftovers::find(self.dir.path())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.care.is_some() {
            self.end();
        }
        let deadline = Instant::now() + PATIENCE;
        while leftovers::kill(self.dir.path()) > 0 && Instant::now() < deadline {
            sleep(LOOK);
        }
    }
}

/// The program at another path, where tasks of other users can run it, wherever it was built.
fn link_or_copy(program: &Path, at: &Path) {
    if std::fs::hard_link(program, at).is_err() {
        std::fs::copy(program, at).unwrap();
    }
}

/// Starts gateways, one after the other.
fn care(dir: &Path, program: &Path, shared: &Arc<Mutex<Shared>>) {
    loop {
        let mut child = {
            let mut held = shared.lock().unwrap();
            if held.closing {
                return;
            }
            let child = launch(dir, program, held.next.take().as_ref());
            held.pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
            child
        };
        let stdout = child.stdout.take().expect("a pipe");
        // ends with the process: the proxy and the supervisors have pipes of their own
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("faregate is ready at ") {
                shared.lock().unwrap().address = Some(address.to_owned());
            }
        }
        // whose id is not to be another's when it is killed
        let mut held = shared.lock().unwrap();
        let status = child.wait().unwrap();
        held.pid = None;
        held.deaths += 1;
        if status.signal() != Some(Signal::KILL.as_raw()) {
            held.failed = Some(format!("the gateway ended by itself: {status}"));
            return;
        }
    }
}

fn launch(dir: &Path, program: &Path, at: Option<&Point>) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(dir.join("gateway.log")).unwrap();
    let mut command = Command::new(program);
    command.args(["serve", "--address", "127.0.0.1:0", "--data-dir"]).arg(dir.join("data"));
    command.arg("--config").arg(dir.join("faregate.toml")).arg("--python").arg(dir.join("python"));
    command.env("RUST_LOG", "info").env(KILL_DIR, dir).env_remove(KILL_AT);
    command.envs(at.map(|at| (KILL_AT, at.to_string())));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap()
}
