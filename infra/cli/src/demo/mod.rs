//! `faregate demo`: a whole session of the official client against a gateway of its own, from an empty machine to an empty machine.

mod gateway;
pub mod leftovers;
mod progress;

use crate::python::{self, PythonEnv, PythonError};
use crate::serve::Signals;
use gateway::DemoGateway;
use leftovers::Leftover;
use progress::Progress;
use serde::Deserialize;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// The session as a whole is given up after this time.
const SESSION: Duration = Duration::from_secs(600);
/// What was killed is gone within this time.
const GONE: Duration = Duration::from_secs(20);

/// The demo did not go well.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No environment to run it in.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// Temporary files.
    #[error("the demo's files cannot be written")]
    Files(#[source] io::Error),
    /// The demo itself cannot run.
    #[error("the demo cannot run")]
    Runtime(#[source] io::Error),
    /// The gateway's process.
    #[error("the gateway cannot be started")]
    Gateway(#[source] io::Error),
    /// It never became ready.
    #[error("the gateway did not become ready; the last lines of its log:\n{0}")]
    NotReady(String),
    /// It did not stop in order.
    #[error("the gateway did not stop in order; the last lines of its log:\n{0}")]
    NotStopped(String),
    /// The session failed.
    #[error("the session failed ({status}) at the step `{step}`:\n{said}\nthe last lines of the gateway's log:\n{log}")]
    Session {
        /// How it ended.
        status: String,
        /// Where.
        step: String,
        /// What it said.
        said: String,
        /// What the gateway said.
        log: String,
    },
    /// Something was left running.
    #[error("processes were left running, and {0}: {1:?}")]
    Leftovers(&'static str, Vec<Leftover>),
    /// Ctrl-C.
    #[error("interrupted; nothing is left running")]
    Interrupted,
}

/// What the session's script says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Begin { begin: String },
    Done { done: String, seconds: f64, detail: String },
}

/// Runs the demo. `python` is an environment to use instead of the one that is made and kept.
pub fn run(python: Option<&Path>) -> Result<(), DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(DemoError::Runtime)?;
    let result = runtime.block_on(demo(python));
    // pip may still be at work on a thread of its own after a Ctrl-C
    runtime.shutdown_background();
    result
}

async fn demo(python: Option<&Path>) -> Result<(), DemoError> {
    let mut signals = Signals::listen().map_err(DemoError::Runtime)?;
    let mut progress = Progress::new();
    let python = tokio::select! {
        python = environment(python, &mut progress) => python?,
        () = signals.next() => return Err(DemoError::Interrupted),
    };
    let dir = tempfile::Builder::new()
        .prefix("faregate-demo-")
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .map_err(DemoError::Files)?;
    let path = dir.path().to_owned();
    let result = tokio::select! {
        result = with_gateway(dir, &python, &mut progress) => result,
        () = signals.next() => Err(DemoError::Interrupted),
    };
    progress.clear();
    // dropped half way, the gateway was killed and has stopped nothing: what it left is ours to end
    let found = sweep(&path).await;
    let left = leftovers::find(&path);
    let _ = faregate_processes::remove_tree(&path);
    if !left.is_empty() {
        return Err(DemoError::Leftovers("cannot be killed", left));
    }
    let processes = result?;
    if !found.is_empty() {
        return Err(DemoError::Leftovers("have been killed", found));
    }
    println!("{}\nnothing is left running", progress.table(&processes));
    Ok(())
}

async fn environment(dir: Option<&Path>, progress: &mut Progress) -> Result<PythonEnv, DemoError> {
    if let Some(dir) = dir {
        return Ok(PythonEnv::existing(dir)?);
    }
    let name = "Python environment";
    progress.begin(name);
    let bar = progress.bar();
    let spec = python::Spec::default_in_cache()?;
    let place = spec.dir().display().to_string();
    let making = tokio::task::spawn_blocking(move || {
        let say = |step: &str| {
            if let Some(bar) = &bar {
                bar.set_prefix(step.chars().take(60).collect::<String>());
            }
        };
        python::ensure(&spec, &say)
    });
    let env = making.await.unwrap_or_else(|panic| Err(PythonError::Panicked(panic.to_string())))?;
    progress.done(name, &place);
    Ok(env)
}

/// Everything between the gateway's start and its end; what its processes took.
async fn with_gateway(
    dir: TempDir,
    python: &PythonEnv,
    progress: &mut Progress,
) -> Result<Vec<(String, String)>, DemoError> {
    progress.begin("start the gateway");
    let gateway = gateway::start(dir, python).await?;
    progress.done("start the gateway", &gateway.address);
    session(&gateway, python, progress).await?;
    let processes = gateway.processes();
    progress.begin("stop the gateway");
    let dir = gateway.stop().await?;
    progress.done("stop the gateway", "");
    drop(dir.keep());
    Ok(processes)
}

/// The official client's session: a script that says what it does.
async fn session(gateway: &DemoGateway, python: &PythonEnv, progress: &mut Progress) -> Result<(), DemoError> {
    let script = gateway.dir().join("session.py");
    std::fs::write(&script, include_str!("session.py")).map_err(DemoError::Files)?;
    let said = gateway.dir().join("session.log");
    let mut child = Command::new(python.python())
        .arg(&script)
        .arg(&gateway.address)
        // the client would go through a proxy of the environment even for this machine
        .env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&said).map_err(DemoError::Files)?)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(DemoError::Files)?;
    let mut step = String::new();
    let mut follow = async || -> io::Result<ExitStatus> {
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(line) = lines.next_line().await? {
                match serde_json::from_str(&line) {
                    Ok(Line::Begin { begin }) => {
                        progress.begin(&begin);
                        step = begin;
                    }
                    Ok(Line::Done { done, seconds, detail }) => progress.took(&done, seconds, &detail),
                    // a library that prints is nothing to stumble over
                    Err(_) => {}
                }
            }
        }
        child.wait().await
    };
    let status = match tokio::time::timeout(SESSION, follow()).await {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(ended) => ended.map_or_else(|error| error.to_string(), |status| status.to_string()),
        Err(_) => format!("given up after {} seconds", SESSION.as_secs()),
    };
    let said = crate::logs::last_lines(&said, 0, 15);
    Err(DemoError::Session { status, step, said, log: gateway.last_lines() })
}

/// Kills whatever has to do with the directory, until nothing does. What there was at first.
async fn sweep(dir: &Path) -> Vec<Leftover> {
    let found = leftovers::find(dir);
    let deadline = Instant::now() + GONE;
    while leftovers::kill(dir) > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    found
}
