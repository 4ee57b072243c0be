//! Launching: ids first, then supervisors that wait, then the record, and only then the orders.

use super::credentials::is_lasting;
use super::facts::TASK_ID;
use super::identity::{IdentityError, Separation, TaskIdentity};
use super::processes::Process;
use super::records::{ClusterDir, Exit, LaunchRecord, LogRule, Order, StopCode, TaskDir, encode, load};
use super::supervise::READY;
use super::waiting::{PATIENCE, Waiting};
use super::{Inner, credentials, durable, lock, wall_clock};
use faregate_core::model::{Launch, Ms, TaskId, TaskRole, TaskState};
use faregate_core::ports::{LaunchError, Launched};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Inner {
    pub(super) fn launch(self: &Arc<Self>, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        let unknown = |error: io::Error| LaunchError::Unknown(error.to_string());
        check(launch, now)?;
        let user = self.identities.of(&launch.spec.user).map_err(|error| match error {
            IdentityError::Refused(why) => LaunchError::Rejected(why),
            IdentityError::Failed { .. } => LaunchError::NoCapacity(faregate_core::chain(&error)),
        })?;
        let dir = self.make_cluster(&launch.cluster, user.as_ref()).map_err(not_made)?;
        let _lock = self.lock_cluster(&launch.cluster).map_err(unknown)?;
        let path = dir.launch(&launch.id);
        let known: Option<LaunchRecord> = load(&path).map_err(unknown)?;
        let tasks = match known {
            None => mint(launch.spec.count).map_err(unknown)?,
            Some(known) => {
                lock(&self.index).add(&known, &self.boot);
                let never_ran = self.never_ran(&known).map_err(unknown)?;
                if never_ran.is_empty() {
                    return self.launched(&known).map_err(unknown);
                }
                never_ran
            }
        };
        // Until the first order is given, nothing has been started, and nothing will be.
        let waiting = self.spawn(&dir, tasks).map_err(|error| LaunchError::NoCapacity(error.to_string()))?;
        let known: Option<LaunchRecord> = load(&path).map_err(unknown)?;
        let mut record = known.unwrap_or_else(|| LaunchRecord {
            id: launch.id.clone(),
            cluster: launch.cluster.clone(),
            role: launch.spec.role,
            accepted_at: wall_clock(),
            boot: self.boot.clone(),
            tasks: BTreeMap::new(),
        });
        record.boot.clone_from(&self.boot);
        record.tasks.extend(waiting.iter().map(|(id, waiting)| (id.clone(), waiting.process)));
        encode(&record).and_then(|bytes| durable::write(&path, &bytes, None)).map_err(unknown)?;
        lock(&self.index).add(&record, &self.boot);
        self.give_orders(launch, &dir, user.as_ref(), waiting).map_err(unknown)?;
        self.launched(&record).map_err(unknown)
    }

    fn launched(&self, record: &LaunchRecord) -> io::Result<Launched> {
        let ids: Vec<TaskId> = record.tasks.keys().cloned().collect();
        let tasks = ids.iter().map(|id| self.facts_at_start(id)).collect::<io::Result<Vec<_>>>()?;
        Ok(Launched { tasks: tasks.into_iter().flatten().collect(), shortfall: None })
    }

    /// The tasks of a launch on record that were never given their order, or lost it with the launcher that gave it.
    pub(super) fn never_ran(&self, record: &LaunchRecord) -> io::Result<Vec<TaskId>> {
        let mut never_ran = Vec::new();
        for (id, supervisor) in &record.tasks {
            let dir = self.dir(&record.cluster).task(id);
            let decided = || io::Result::Ok(dir.started()?.is_some() || dir.exit()?.is_some());
            // A supervisor that still waits is about to read its order, or the end of the pipe of a launcher that is gone.
            let deadline = Instant::now() + PATIENCE;
            while record.boot == self.boot && supervisor.is_alive()? && !decided()? {
                if Instant::now() > deadline {
                    return Err(io::Error::other(format!("the supervisor of task `{id}` does not answer")));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            if !decided()? {
                never_ran.push(id.clone());
            }
        }
        Ok(never_ran)
    }

    fn spawn(&self, dir: &ClusterDir, tasks: Vec<TaskId>) -> io::Result<Vec<(TaskId, Waiting)>> {
        let mut waiting = Vec::new();
        for id in tasks {
            let dir = dir.task(&id);
            durable::directory(&dir.0, 0o700)?;
            waiting.push((id, Waiting::spawn(&self.settings.supervisor, &dir)?));
        }
        for (id, supervisor) in &mut waiting {
            let word = supervisor.hear()?;
            if word.as_deref() != Some(READY) {
                return Err(io::Error::other(format!("the supervisor of task `{id}` said {word:?} and not `{READY}`")));
            }
        }
        Ok(waiting)
    }

    /// Lets all of them go, and looks after each, whatever becomes of the others.
    fn give_orders(
        self: &Arc<Self>,
        launch: &Launch,
        dir: &ClusterDir,
        user: Option<&TaskIdentity>,
        mut waiting: Vec<(TaskId, Waiting)>,
    ) -> io::Result<()> {
        let order = |id: &TaskId| encode(&self.order(launch, dir, id, user));
        let orders = waiting.iter().map(|(id, _)| order(id)).collect::<io::Result<Vec<_>>>()?;
        for ((_, supervisor), order) in waiting.iter_mut().zip(orders) {
            supervisor.give(order);
        }
        let mut outcome = Ok(());
        for (id, mut supervisor) in waiting {
            let running = supervisor.hear().is_ok_and(|word| word.is_some());
            let seen = if running { Ok(()) } else { self.conclude(&dir.task(&id), supervisor.process) };
            let seen = seen.and_then(|()| self.facts_at_start(&id)).map(|facts| {
                facts.filter(|facts| facts.state != TaskState::Stopped).inspect(|facts| self.announce(facts));
            });
            self.watch(id, supervisor.process, supervisor.child.take());
            outcome = outcome.and(seen);
        }
        outcome
    }

    /// A supervisor that had its order and was killed before it could obey: the task is over, and is not started again.
    fn conclude(&self, dir: &TaskDir, supervisor: Process) -> io::Result<()> {
        if !supervisor.is_alive()? && dir.started()?.is_none() {
            let reason = "its supervisor was killed before it started".to_owned();
            dir.write_exit(&Exit { at: wall_clock(), code: None, stop: StopCode::Lost, reason })?;
        }
        Ok(())
    }

    fn order(&self, launch: &Launch, dir: &ClusterDir, id: &TaskId, user: Option<&TaskIdentity>) -> Order {
        let name = id.worker_name();
        let mut environment = self.settings.base_environment();
        let confinement = match &self.settings.separation {
            Separation::Confined(base) => Some(base.with_cluster(dir.0.clone(), dir.work())),
            Separation::Shared | Separation::Accounts(_) | Separation::UidRange(_) => None,
        };
        if let Some(confinement) = confinement.as_ref().filter(|all| all.bars(&std::env::temp_dir())) {
            // the working directory's path may be too long for sockets
            let other = Some(PathBuf::from("/var/tmp")).filter(|other| other.is_dir() && !confinement.bars(other));
            let temporary = other.unwrap_or_else(|| dir.work());
            environment.push(("TMPDIR".to_owned(), temporary.to_string_lossy().into_owned()));
        }
        if let Some(user) = user {
            for name in ["USER", "LOGNAME"] {
                environment.push((name.to_owned(), launch.spec.user.clone()));
            }
            environment.push(("HOME".to_owned(), user.home.to_string_lossy().into_owned()));
            let packages = dir.packages().to_string_lossy().into_owned();
            let path = std::env::var("PYTHONPATH").map_or(packages.clone(), |more| format!("{packages}:{more}"));
            environment.push(("PIP_TARGET".to_owned(), packages));
            environment.push(("PYTHONPATH".to_owned(), path));
        }
        environment.extend(credentials::environment(&launch.cluster, dir));
        environment.push((TASK_ID.to_owned(), id.to_string()));
        environment.extend(launch.spec.environment.iter().cloned());
        Order {
            command: launch.spec.command.iter().map(|word| word.replace("{worker_name}", &name)).collect(),
            environment,
            directory: dir.work(),
            user: user.map(|user| user.run_as.clone()),
            log: LogRule {
                bytes: self.settings.log_bytes,
                files: self.settings.log_files,
                owner: user.map(|user| (user.run_as.uid, user.run_as.gid)),
            },
            confinement,
            oom_score_adj: oom_score_adj(launch.spec.role),
            umask: self.settings.umask,
            sigint_timeout_ms: self.settings.sigint_timeout.as_millis() as u64,
            sigterm_timeout_ms: self.settings.sigterm_timeout.as_millis() as u64,
        }
    }
}

/// When memory runs out the kernel kills what has the highest score: a worker, which is replaced, before a scheduler, with which a cluster ends, and
/// either before the gateway and its proxy.
fn oom_score_adj(role: TaskRole) -> i32 {
    match role {
        TaskRole::Scheduler => 300,
        TaskRole::Worker => 500,
    }
}

/// Nothing has been started yet.
fn not_made(error: io::Error) -> LaunchError {
    let message = format!("the cluster's directory cannot be made: {error}");
    if is_lasting(&error) { LaunchError::Rejected(message) } else { LaunchError::NoCapacity(message) }
}

fn check(launch: &Launch, now: Ms) -> Result<(), LaunchError> {
    if now > launch.not_after {
        let late = now - launch.not_after;
        return Err(LaunchError::Unknown(format!(
            "launch `{}` was not called: its window closed {late} ms ago",
            launch.id
        )));
    }
    if !launch.id.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || launch.id.0.is_empty() {
        return Err(LaunchError::Rejected(format!("`{}` is no id of a launch", launch.id)));
    }
    if !(1..=10).contains(&launch.spec.count) {
        return Err(LaunchError::Rejected(format!("`count` is {}; one launch has 1 to 10 tasks", launch.spec.count)));
    }
    if launch.spec.command.is_empty() {
        return Err(LaunchError::Rejected("`command` is empty".to_owned()));
    }
    Ok(())
}

/// New ids: a letter, so that no one takes them for numbers, and 64 random bits.
fn mint(count: u32) -> io::Result<Vec<TaskId>> {
    let mut source = File::open("/dev/urandom")?;
    let mut one = || {
        let mut bytes = [0; 8];
        source.read_exact(&mut bytes)?;
        Ok(TaskId(format!("t{:016x}", u64::from_ne_bytes(bytes))))
    };
    (0..count).map(|_| one()).collect()
}
