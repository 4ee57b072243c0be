//! A task's life, from acceptance to rest.

use crate::settings::{Knobs, Settings};
use crate::start_failures::{StartFailure, Step};
use crate::state::{Inner, State};
use crate::tasks::{Status, Stop, Task, Told};
use crate::{checks, clock, environment, logs, process};
use rustix::process::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::watch;

/// Begins the life of a task that was accepted.
pub fn begin(inner: &Arc<Inner>, state: &State, id: String) {
    if let Some(task) = state.tasks.get(&id) {
        let told = task.tell.subscribe();
        tokio::spawn(run(inner.clone(), id, told));
    }
}

/// Asks a task to stop, unless it stops already.
pub fn ask_to_stop(state: &mut State, settings: &Settings, id: &str, stop: Stop) {
    if state.tasks.get(id).is_none_or(|task| task.to_stop) {
        return;
    }
    state.change(settings, id, |task| {
        to_stop(task, stop);
        task.tell.send_replace(Told::Stop);
    });
}

fn to_stop(task: &mut Task, stop: Stop) {
    if !task.to_stop {
        task.to_stop = true;
        task.stop = Some(stop);
        task.times.insert("stoppingAt", clock::now());
    }
}

async fn run(inner: Arc<Inner>, id: String, mut told: watch::Receiver<Told>) {
    let stop = match start(&inner, &id, &mut told).await {
        Ok(container) => container.until_its_end(&inner, &id, &mut told).await,
        Err(stop) => stop,
    };
    inner.change(&id, |task| {
        if let Some(stop) = stop {
            to_stop(task, stop);
        }
        task.status = Status::Deprovisioning;
    });
    tokio::time::sleep(inner.knobs().stopping()).await;
    inner.change(&id, |task| {
        task.status = Status::Stopped;
        task.stopped_at = Some(clock::now());
    });
}

/// Why a task does not start: none = it was asked to stop, and knows why.
type NotStarted = Option<Stop>;

async fn start(inner: &Inner, id: &str, told: &mut watch::Receiver<Told>) -> Result<Container, NotStarted> {
    pause(inner.knobs().provisioning(), told).await?;
    attach(inner, id)?;
    pause(inner.knobs().pending(), told).await?;
    pull(inner, id)?;
    let files = inner.look(id, environment::files).unwrap_or_default();
    let variables = environment::fetch(inner, &files).await.map_err(|why| Some(Stop::not_started(why)))?;
    launch(inner, id, variables)
}

/// Waits, and ends early when the task is asked to stop.
async fn pause(duration: Duration, told: &mut watch::Receiver<Told>) -> Result<(), NotStarted> {
    match tokio::time::timeout(duration, told.wait_for(|told| *told != Told::Nothing)).await {
        Ok(_) => Err(None),
        Err(_) => Ok(()),
    }
}

/// Gives the task its address; PENDING.
fn attach(inner: &Inner, id: &str) -> Result<(), NotStarted> {
    let mut state = inner.lock();
    let Some(task) = state.tasks.get(id) else { return Err(None) };
    let subnet = checks::subnet(&task.request).unwrap_or_default();
    if task.no_address || state.knobs.full_subnets.contains(&subnet) {
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
        return Err(Some(Stop::not_started(format!(
            "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in \
             subnet '{subnet}': InsufficientFreeAddressesInSubnet"
        ))));
    }
    if let Some(StartFailure { step: Step::Network, reason }) = task.start_failure {
        return Err(Some(Stop::not_started(reason)));
    }
    let address = state.addresses.next();
    state.change(&inner.settings, id, |task| {
        task.status = Status::Pending;
        task.address = Some(address);
        let now = clock::now();
        task.times.extend([("connectivityAt", now), ("pullStartedAt", now)]);
    });
    Ok(())
}

fn pull(inner: &Inner, id: &str) -> Result<(), NotStarted> {
    let mut state = inner.lock();
    let image = state.tasks.get(id).map(|task| task.image().to_owned()).unwrap_or_default();
    let missing = state.knobs.unpullable_images.contains(&image);
    let Some(task) = state.tasks.get_mut(id) else { return Err(None) };
    let by_nobodys_fault = task.start_failure.filter(|failure| failure.step == Step::Pull);
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
    let not_found = missing.then(|| {
        format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: \
             {image}: not found"
        )
    });
    if let Some(reason) = by_nobodys_fault.map(|failure| failure.reason.to_owned()).or(not_found) {
        task.container_reason = Some(reason.clone());
        return Err(Some(Stop::not_started(reason)));
    }
    task.times.insert("pullStoppedAt", clock::now());
    Ok(())
}

/// Starts the container; RUNNING.
fn launch(inner: &Inner, id: &str, variables: Vec<(String, String)>) -> Result<Container, NotStarted> {
    let mut state = inner.lock();
    let closing = state.closing;
    let Some(task) = state.tasks.get_mut(id) else { return Err(None) };
    if closing || task.to_stop {
        return Err(None);
    }
    let container = if inner.settings.run_processes {
        let variables = environment::of_container(inner, task, variables);
        let (dir, log) = (inner.settings.dir.join(id), inner.settings.dir.join(format!("{id}.log")));
        let child = process::start(&environment::command(task), &variables, &dir, &log).map_err(|error| {
            let reason = format!("CannotStartContainerError: failed to create task: {error}");
            task.container_reason = Some(reason.clone());
            Some(Stop::not_started(reason))
        })?;
        task.pid = child.id().map(|pid| pid as i32);
        Container::Process(child)
    } else {
        Container::Pretended
    };
    state.change(&inner.settings, id, |task| {
        task.status = Status::Running;
        task.times.insert("startedAt", clock::now());
    });
    Ok(container)
}

/// A container that was started.
enum Container {
    Process(Child),
    Pretended,
}

impl Container {
    async fn until_its_end(mut self, inner: &Inner, id: &str, told: &mut watch::Receiver<Told>) -> NotStarted {
        let following = logs::follow(inner, id);
        let ended = tokio::select! {
            code = self.end(told.clone()) => Some(code),
            _ = told.wait_for(|told| *told == Told::Stop) => None,
        };
        let code = match ended {
            Some(code) => code,
            None => self.stop(inner, id, told).await,
        };
        if inner.settings.run_processes {
            let group = inner.look(id, |task| task.pid).flatten();
            kill_all(inner, id, group).await;
        }
        if let Some(following) = following {
            following.end().await;
        }
        let mut state = inner.lock();
        let task = state.tasks.get_mut(id)?;
        task.pid = None;
        task.exit_code = Some(code);
        task.times.insert("executionStoppedAt", clock::now());
        if task.out_of_memory {
            // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
            task.container_reason = Some("OutOfMemoryError: Container killed due to memory usage".into());
        }
        ended.map(|_| Stop::exited())
    }

    /// DEACTIVATING, STOPPING: SIGTERM, and after the container's stop timeout SIGKILL.
    async fn stop(&mut self, inner: &Inner, id: &str, told: &watch::Receiver<Told>) -> i32 {
        let knobs = inner.knobs();
        inner.change(id, |task| task.status = Status::Deactivating);
        tokio::time::sleep(knobs.stopping()).await;
        inner.change(id, |task| task.status = Status::Stopping);
        let (pid, patience) = inner.look(id, |task| (task.pid, stop_timeout(task, &knobs))).unwrap_or_default();
        match (&self, pid) {
            (Container::Pretended, _) | (_, None) => return 143,
            (Container::Process(_), Some(pid)) => process::signal(pid, Signal::TERM),
        }
        if let Ok(code) = tokio::time::timeout(patience, self.end(told.clone())).await {
            return code;
        }
        kill_all(inner, id, pid).await;
        self.end(told.clone()).await
    }

    /// Its exit code, once it has ended.
    async fn end(&mut self, mut told: watch::Receiver<Told>) -> i32 {
        match self {
            Container::Process(child) => child.wait().await.map_or(137, process::exit_code),
            Container::Pretended => {
                match told.wait_for(|told| matches!(told, Told::Ended(_))).await.map(|told| *told) {
                    Ok(Told::Ended(code)) => code,
                    _ => 137,
                }
            }
        }
    }
}

/// Kills what is left of a task's processes. Looking for them takes a while: not on the server's own threads.
async fn kill_all(inner: &Inner, id: &str, group: Option<i32>) {
    let endpoint = format!("{}{id}", inner.metadata_base());
    // It fails only if the server ends, and then it kills everything itself.
    let _ = tokio::task::spawn_blocking(move || process::kill_all(group, &endpoint)).await;
}

/// How long a container may take to end: 30 s unless it says so
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>).
fn stop_timeout(task: &Task, knobs: &Knobs) -> Duration {
    let seconds = task.container()["stopTimeout"].as_u64().unwrap_or(30);
    Duration::from_secs(seconds).mul_f64(knobs.stop_timeout_factor.max(0.0))
}
