//! The process launcher as the suite's fixture, and what its own tests need: its files, its processes, and another one to kill.

use super::{Fixture, Runs, worker_spec};
use async_trait::async_trait;
use faregate_core::model::{Launch, LaunchSpec, Ms, TaskId, TaskState};
use faregate_core::ports::Launcher;
use faregate_processes::{ProcessLauncher, Settings};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A process launcher over a directory of its own. Dropped, it kills what is left there.
pub struct Local {
    /// The data directory.
    pub dir: TempDir,
    /// The launcher.
    pub launcher: ProcessLauncher,
    settings: Settings,
}

/// Settings for tests: little patience, small pages.
pub fn settings(dir: &Path, supervisor: Vec<OsString>) -> Settings {
    Settings {
        supervisor,
        remover: vec!["/proc/self/exe".into(), "remove".into()],
        sigint_timeout: Duration::from_millis(300),
        sigterm_timeout: Duration::from_millis(300),
        page: 3,
        ..Settings::new(dir)
    }
}

impl Local {
    /// A new one. `program`: the test binary that supervises.
    pub async fn open(program: &str) -> Local {
        Local::with(program, |_| {}).await
    }

    /// A new one with other settings.
    pub async fn with(program: &str, change: impl FnOnce(&mut Settings)) -> Local {
        let dir = TempDir::new().unwrap();
        let mut settings = settings(dir.path(), vec![program.into(), "task".into()]);
        settings.remover = vec![program.into(), "remove".into()];
        settings.measurer = vec![program.into(), "measure".into()];
        change(&mut settings);
        let launcher = ProcessLauncher::open(settings.clone()).await.unwrap();
        Local { dir, launcher, settings }
    }

    /// Another launcher takes the place of this one, as after a restart of the gateway.
    pub async fn reopen(&mut self) {
        self.launcher = ProcessLauncher::open(self.settings.clone()).await.unwrap();
    }

    /// Other settings, for the next launcher.
    pub fn change(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// A cluster's directory.
    pub fn cluster_dir(&self, launch: &Launch) -> PathBuf {
        self.dir.path().join("clusters").join(launch.cluster.as_str())
    }

    /// Where a launch is on record.
    pub fn record(&self, launch: &Launch) -> PathBuf {
        self.cluster_dir(launch).join("launches").join(format!("{}.json", launch.id))
    }

    /// The process id of a task's supervisor.
    pub fn supervisor(&self, launch: &Launch, task: &TaskId) -> i32 {
        let record: serde_json::Value = serde_json::from_slice(&fs::read(self.record(launch)).unwrap()).unwrap();
        record["tasks"][&task.0]["pid"].as_i64().unwrap() as i32
    }

    /// What a task has written so far.
    pub fn log(&self, launch: &Launch, task: &TaskId) -> String {
        fs::read_to_string(self.cluster_dir(launch).join("tasks").join(&task.0).join("log")).unwrap_or_default()
    }

    /// Every process that works in the data directory or was told of it, zombies apart, by id.
    pub fn processes(&self) -> Vec<i32> {
        processes_of(self.dir.path())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // Whoever forks while it is looked for is found the next time.
        for _ in 0..100 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(|pid| kill(pid, Signal::KILL));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What [`Local::processes`] are when nothing is left.
pub const NOBODY: [i32; 0] = [];

/// Sends a signal; gone already is fine.
pub fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn processes_of(dir: &Path) -> Vec<i32> {
    let me = std::process::id() as i32;
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|pid| *pid != me).filter(|pid| belongs(*pid, dir)).collect()
}

fn belongs(pid: i32, dir: &Path) -> bool {
    let about = PathBuf::from(format!("/proc/{pid}"));
    let in_it = fs::read_link(about.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    let told = fs::read(about.join("cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).split('\0').any(|word| Path::new(word).starts_with(dir)));
    in_it || told
}

#[async_trait]
impl Fixture for Local {
    fn launcher(&self) -> &dyn Launcher {
        &self.launcher
    }

    fn now(&self) -> Ms {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as Ms
    }

    fn spec(&self, count: u32, runs: Runs) -> LaunchSpec {
        let exits;
        match runs {
            Runs::ForEver => worker_spec(count, &["sleep", "100000"]),
            Runs::Exits(code) => {
                exits = format!("echo so it ends; exit {code}");
                worker_spec(count, &["sh", "-c", &exits])
            }
            Runs::Reports => {
                let report = r#"echo "worker_name=$1"; echo "token=$(cat "$DASK_GATEWAY_API_TOKEN")""#;
                worker_spec(count, &["sh", "-c", report, "sh", "{worker_name}"])
            }
        }
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The life of a launcher that is to be killed: says `open`, launches, says `launched`, and waits until all is at rest.
pub fn launch_and_wait_for_the_end(settings: Settings, launch: &Launch) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let launcher = ProcessLauncher::open(settings).await.unwrap();
        println!("open");
        let mut events = launcher.events();
        let launched = launcher.launch(launch, launch.created_at).await.unwrap();
        println!("launched");
        let mut running = launched.tasks.iter().filter(|facts| facts.state != TaskState::Stopped).count();
        while running > 0 {
            running -= usize::from(events.recv().await.unwrap().state == TaskState::Stopped);
        }
    });
}
