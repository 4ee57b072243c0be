//! Ports behind which there is nothing: they accept everything, remember it, and start no process. What they cannot show, how processes
//! and schedulers really behave, other tests do.

use async_trait::async_trait;
use faregate_core::model::{ClusterName, Launch, LaunchId, Ms, TaskFacts, TaskId, TaskRole, TaskState};
use faregate_core::ports::{
    Answer, Ask, Credentials, Idleness, LaunchError, Launched, Launcher, LauncherError, PrepareError, Question, Route,
    Routes, RoutesError, SchedulerError, Schedulers, TaskPage, Wake, Wakes, WakesError,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every launch is accepted at once, and runs on 127.0.0.1 until it is stopped.
#[derive(Default)]
pub struct QuietLauncher {
    tasks: Mutex<BTreeMap<TaskId, TaskFacts>>,
    /// When set, every launch is refused with this sentence.
    pub refuses: Mutex<Option<String>>,
    /// A task that is told to stop has run for so long.
    pub lives_ms: Mutex<Ms>,
}

impl QuietLauncher {
    /// The names of a cluster's workers that run.
    pub fn workers(&self, cluster: &ClusterName) -> Vec<String> {
        let tasks = lock(&self.tasks);
        let of = |facts: &&TaskFacts| facts.launch.cluster().is_ok_and(|name| name == *cluster);
        let running = |facts: &&TaskFacts| facts.role == TaskRole::Worker && facts.state != TaskState::Stopped;
        tasks.values().filter(of).filter(running).map(|facts| facts.id.worker_name()).collect()
    }
}

#[async_trait]
impl Launcher for QuietLauncher {
    async fn prepare(&self, _: &Credentials) -> Result<(), PrepareError> {
        Ok(())
    }

    async fn discard(&self, _: &ClusterName) -> Result<(), LauncherError> {
        Ok(())
    }

    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        if let Some(why) = lock(&self.refuses).clone() {
            return Err(LaunchError::Rejected(why));
        }
        let mut tasks = lock(&self.tasks);
        let facts = (0..launch.spec.count).map(|n| TaskFacts {
            id: TaskId(format!("{}-{n}", launch.id)),
            launch: launch.id.clone(),
            role: launch.spec.role,
            version: 1,
            state: TaskState::Running,
            accepted_at: now,
            pulled_at: Some(now),
            started_at: Some(now),
            stopped_at: None,
            stop_code: None,
            stop_reason: None,
            exit_code: None,
            capacity: Some("quiet".into()),
            address: Some([127, 0, 0, 1].into()),
            ports: None,
            lost_to_platform: false,
            last_lines: Vec::new(),
        });
        let facts: Vec<TaskFacts> = facts.map(|facts| tasks.entry(facts.id.clone()).or_insert(facts).clone()).collect();
        Ok(Launched { tasks: facts, shortfall: None })
    }

    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError> {
        if let Some(facts) = lock(&self.tasks).get_mut(task) {
            facts.state = TaskState::Stopped;
            facts.stopped_at = facts.started_at.map(|at| at + *lock(&self.lives_ms));
            facts.version += 1;
        }
        Ok(())
    }

    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        let known = lock(&self.tasks);
        Ok(tasks.iter().map(|id| known.get(id).cloned()).collect())
    }

    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        Ok(lock(&self.tasks).values().filter(|task| task.launch == *launch).cloned().collect())
    }

    async fn list(&self, _: Option<&str>) -> Result<TaskPage, LauncherError> {
        let running = lock(&self.tasks).values().filter(|t| t.state != TaskState::Stopped).cloned().collect();
        Ok(TaskPage { tasks: running, cursor: None })
    }
}

/// Schedulers that say yes.
#[derive(Default)]
pub struct QuietSchedulers {
    asked: Mutex<Vec<Ask>>,
    /// What all of them answer to the idle question; none = they do not answer it.
    pub idleness: Mutex<Option<Idleness>>,
}

impl QuietSchedulers {
    /// Everything asked since the last call.
    pub fn take(&self) -> Vec<Question> {
        std::mem::take(&mut *lock(&self.asked)).into_iter().map(|ask| ask.question).collect()
    }
}

#[async_trait]
impl Schedulers for QuietSchedulers {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let idle =
            || lock(&self.idleness).ok_or_else(|| SchedulerError::Unanswered("it is busy".into())).map(Answer::Idle);
        let answer = |ask: &Ask| if ask.question == Question::Idle { idle() } else { Ok(Answer::Ok) };
        let answers = asks.iter().map(answer).collect();
        lock(&self.asked).extend(asks);
        answers
    }
}

/// Counts what was sent; nobody receives it.
#[derive(Default)]
pub struct QuietWakes {
    sent: Mutex<usize>,
}

impl QuietWakes {
    /// Wakes sent so far.
    pub fn sent(&self) -> usize {
        *lock(&self.sent)
    }
}

#[async_trait]
impl Wakes for QuietWakes {
    async fn wake(&self, _: Wake, _: Ms) -> Result<(), WakesError> {
        *lock(&self.sent) += 1;
        Ok(())
    }
}

/// Remembers what the proxy would have been told.
#[derive(Default)]
pub struct QuietRoutes {
    routes: Mutex<BTreeMap<ClusterName, Route>>,
}

impl QuietRoutes {
    /// What it was last told of a cluster.
    pub fn of(&self, name: &ClusterName) -> Option<Route> {
        lock(&self.routes).get(name).cloned()
    }
}

#[async_trait]
impl Routes for QuietRoutes {
    async fn publish(&self, name: &ClusterName, route: &Route) -> Result<(), RoutesError> {
        lock(&self.routes).insert(name.clone(), route.clone());
        Ok(())
    }

    async fn remove(&self, name: &ClusterName) -> Result<(), RoutesError> {
        lock(&self.routes).remove(name);
        Ok(())
    }
}
