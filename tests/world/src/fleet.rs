//! The launcher's tasks, as ECS has them: idempotent by token, eventually consistent, slow to start and to stop, mortal.

use super::setup::S;
use super::starts::Doom;
use super::state::{Event, State, short};
use super::work::Work;
use faregate_core::limits::Effective;
use faregate_core::model::{
    Cluster, ClusterName, Launch, LaunchId, LaunchSpec, Ms, TaskFacts, TaskId, TaskRole, TaskState,
};
use faregate_core::ports::{LaunchError, Launched, TaskPage};
use std::collections::{BTreeMap, BTreeSet};

/// One task.
pub struct SimTask {
    /// Its cluster.
    pub cluster: ClusterName,
    /// What is so.
    pub facts: TaskFacts,
    /// What was so before the last change.
    pub before: TaskFacts,
    /// Invisible to lists and descriptions until then.
    pub visible_at: Ms,
    /// Somebody of ours asked it to stop.
    pub stop_asked: bool,
    /// When its worker connected.
    pub connected_at: Option<Ms>,
    /// Its nanny is restarting the worker, since.
    pub restarting: Option<Ms>,
    /// How its start fails, if it does.
    pub doom: Option<Doom>,
}

impl SimTask {
    /// Not at rest.
    pub fn lives(&self) -> bool {
        self.facts.state != TaskState::Stopped
    }

    /// Running.
    pub fn runs(&self) -> bool {
        self.facts.state == TaskState::Running
    }

    /// The worker's name in its scheduler.
    pub fn worker_name(&self) -> String {
        self.facts.id.worker_name()
    }
}

/// All tasks there ever were.
#[derive(Default)]
pub struct Fleet {
    /// By index.
    pub tasks: Vec<SimTask>,
    by_id: BTreeMap<TaskId, usize>,
    /// Accepted launches: the request, and its tasks.
    pub tokens: BTreeMap<LaunchId, (LaunchSpec, Vec<usize>)>,
    /// Launches that were refused for good at least once.
    pub refused: BTreeSet<LaunchId>,
}

/// How a task changes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its image is being pulled.
    Pull,
    /// It begins to run.
    Start,
    /// Its worker connects.
    Connect,
    /// Its nanny has restarted the worker.
    Back,
    /// It ends.
    End(i32),
    /// When it truly ended becomes known.
    Correct(Ms),
}

impl Fleet {
    /// A task's index.
    pub fn find(&self, id: &TaskId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Tasks that are not at rest, of a role.
    pub fn live(&self, role: TaskRole) -> impl Iterator<Item = &SimTask> {
        self.tasks.iter().filter(move |t| t.lives() && t.facts.role == role)
    }
}

impl State {
    /// One call of the launcher's `launch`.
    pub fn launch(&mut self, launch: &Launch) -> Result<Launched, LaunchError> {
        let faults = self.setup.faults;
        if self.fault(faults.launch) && self.dice.percent(50) {
            return Err(LaunchError::Throttled);
        }
        if let Some((spec, tasks)) = self.fleet.tokens.get(&launch.id) {
            let remembered = tasks.iter().any(|i| self.is_remembered(*i));
            if remembered {
                if *spec != launch.spec {
                    self.breach("a launch changed between its calls", launch.id.to_string());
                    return Err(LaunchError::Rejected("another request with this token".into()));
                }
                let tasks = tasks.clone();
                if self.fault(100) {
                    let ids = tasks.iter().map(|i| self.fleet.tasks[*i].facts.id.clone()).collect();
                    return Err(LaunchError::Conflict(ids));
                }
                let facts = tasks.iter().map(|i| self.fleet.tasks[*i].facts.clone()).collect();
                return Ok(Launched { tasks: facts, shortfall: None });
            }
            self.breach("a launch was called when its token was forgotten", launch.id.to_string());
        }
        if self.faulty() && !self.capacity {
            self.fleet.refused.insert(launch.id.clone());
            return Err(LaunchError::NoCapacity("capacity is unavailable at this time".into()));
        }
        let wanted = launch.spec.count;
        let count = match self.fault(faults.launch / 2) {
            true if wanted > 1 => self.dice.between(1, Ms::from(wanted)) as u32,
            _ => wanted,
        };
        let tasks: Vec<usize> = (0..count).map(|_| self.accept(launch)).collect();
        self.say(|| format!("  launch {} accepted: {count} of {wanted} {:?}", launch.id, launch.spec.role));
        let facts = tasks.iter().map(|i| self.fleet.tasks[*i].facts.clone()).collect();
        self.fleet.tokens.insert(launch.id.clone(), (launch.spec.clone(), tasks));
        self.check_bounds(&launch.cluster);
        let shortfall = (count < wanted).then(|| "RESOURCE:ENI".to_owned());
        Ok(Launched { tasks: facts, shortfall })
    }

    fn accept(&mut self, launch: &Launch) -> usize {
        let index = self.fleet.tasks.len();
        let id = TaskId(format!("{:06x}{index:04}", self.dice.bits() & 0xFF_FFFF));
        let facts = TaskFacts {
            id: id.clone(),
            launch: launch.id.clone(),
            role: launch.spec.role,
            version: 1,
            state: TaskState::Starting,
            accepted_at: self.wall(),
            pulled_at: None,
            started_at: None,
            stopped_at: None,
            stop_code: None,
            stop_reason: None,
            exit_code: None,
            capacity: Some(if launch.spec.fargate.spot { "FARGATE_SPOT" } else { "FARGATE" }.into()),
            address: None,
            ports: None,
            lost_to_platform: false,
            last_lines: Vec::new(),
        };
        let late = self.faulty() && self.dice.percent(20);
        let visible_at = self.now + if late { self.dice.below(self.setup.policy.visibility_ms) } else { 0 };
        let doom = self.doom_of(launch.spec.role);
        self.fleet.tasks.push(SimTask {
            cluster: launch.cluster.clone(),
            before: facts.clone(),
            facts,
            visible_at,
            stop_asked: false,
            connected_at: None,
            restarting: None,
            doom,
        });
        self.fleet.by_id.insert(id, index);
        self.stats.tasks += 1;
        let start = self.dice.between(5 * S, 45 * S);
        if let Some(longest) = self.setup.pull_ms {
            let pull = start - self.dice.below(longest).min(start - S);
            self.after(pull, Event::Task(index, Change::Pull));
        }
        self.after(start, Event::Task(index, Change::Start));
        index
    }

    /// Never more than the limits at any moment, and nothing that is not counted.
    fn check_bounds(&mut self, cluster: &ClusterName) {
        let Some(record) = self.records.clusters.get(cluster).map(|c| c.value.clone()) else {
            return self.breach("a task of an unknown cluster was started", short(cluster).into());
        };
        let schedulers = self.fleet.live(TaskRole::Scheduler).filter(|t| t.cluster == *cluster).count();
        if schedulers > 1 {
            self.breach("two schedulers of one cluster", short(cluster).into());
        }
        let own = self.fleet.live(TaskRole::Worker).filter(|t| t.cluster == *cluster).count() as i64;
        // the launch was written under limits that were in force then, and called within its window
        let policy = &self.setup.policy;
        let from = self.now - self.staleness() - policy.launch_window_ms - policy.max_call_ms;
        let caps = self.accounts.limits_since(from, &record.user, &record.groups);
        let most = caps.iter().map(|limits| cap(&record, limits)).max();
        if most.is_some_and(|most| own > most) {
            self.breach("more workers than the cluster may have", format!("{own} of {}", short(cluster)));
        }
        for scope in &record.reserved.keys {
            self.check_covered(scope);
        }
    }

    fn is_remembered(&self, index: usize) -> bool {
        let task = &self.fleet.tasks[index];
        task.facts.stopped_at.is_none_or(|at| self.wall() - at < self.setup.remembers_ms)
    }

    fn is_seen(&self, index: usize) -> bool {
        self.now >= self.fleet.tasks[index].visible_at && self.is_remembered(index)
    }

    /// Describes one task, perhaps as it was a little ago.
    pub fn describe(&mut self, id: &TaskId) -> Option<TaskFacts> {
        let index = self.fleet.find(id).filter(|i| self.is_seen(*i))?;
        let stale = self.fault(self.setup.faults.stale);
        let task = &self.fleet.tasks[index];
        Some(if stale { task.before.clone() } else { task.facts.clone() })
    }

    /// Everything of a launch that is seen.
    pub fn list_launch(&self, launch: &LaunchId) -> Vec<TaskFacts> {
        let tasks = self.fleet.tokens.get(launch).map_or(&[][..], |(_, tasks)| tasks);
        tasks.iter().filter(|i| self.is_seen(**i)).map(|i| self.fleet.tasks[*i].facts.clone()).collect()
    }

    /// A page of what is not at rest.
    pub fn list(&self, cursor: Option<&str>) -> TaskPage {
        let from: usize = cursor.and_then(|c| c.parse().ok()).unwrap_or(0);
        let all = 0..self.fleet.tasks.len();
        let mut live = all.skip(from).filter(|i| self.fleet.tasks[*i].lives() && self.is_seen(*i));
        let page: Vec<usize> = live.by_ref().take(self.setup.page).collect();
        let cursor = live.next().map(|next| next.to_string());
        TaskPage { tasks: page.into_iter().map(|i| self.fleet.tasks[i].facts.clone()).collect(), cursor }
    }

    /// Asks a task to stop.
    pub fn stop_task(&mut self, id: &TaskId) {
        let Some(index) = self.fleet.find(id) else { return };
        if !self.fleet.tasks[index].lives() {
            return;
        }
        self.check_stop(index);
        self.fleet.tasks[index].stop_asked = true;
        // now and then ECS takes the request, and nothing comes of it
        if self.fault(60) {
            return;
        }
        let delay = self.dice.between(2 * S, 32 * S);
        self.after(delay, Event::Task(index, Change::End(0)));
    }

    /// What happens to a task.
    pub fn change(&mut self, index: usize, change: Change) {
        let task = &self.fleet.tasks[index];
        match change {
            Change::Pull if task.facts.state == TaskState::Starting => {
                let now = self.wall();
                self.update(index, |facts| facts.pulled_at = Some(now));
            }
            Change::Correct(at) => self.correct(index, at),
            Change::Start if task.facts.state == TaskState::Starting => self.start(index),
            Change::Connect if task.runs() => self.connect(index),
            Change::Back if task.runs() => self.come_back(index),
            Change::End(code) if task.lives() => self.end(index, code),
            _ => {}
        }
    }

    /// What was said of its end is put right.
    fn correct(&mut self, index: usize, at: Ms) {
        self.say(|| format!("task {index} truly ended at {at}"));
        self.update(index, |facts| facts.stopped_at = Some(at));
    }

    /// Changes the facts of a task, and tells it.
    pub fn update(&mut self, index: usize, change: impl FnOnce(&mut TaskFacts)) {
        let task = &mut self.fleet.tasks[index];
        let corrects = !task.lives();
        task.before = task.facts.clone();
        change(&mut task.facts);
        task.facts.version += 1;
        let facts = task.facts.clone();
        let faults = self.setup.faults;
        // nobody asks again about the end of a task that is settled: its correction is told by an event, or never
        let lost = !corrects && self.fault(faults.event_lost);
        let times = if lost { 0 } else { 1 + u32::from(self.fault(faults.event_odd)) };
        for _ in 0..times {
            let late = if self.fault(faults.event_odd) { self.dice.below(120 * S) } else { 0 };
            let delay = self.dice.between(200, 3 * S) + late;
            self.after(delay, Event::Start(Work::Happened { facts: Box::new(facts.clone()), tries: 0 }));
        }
    }

    pub fn end(&mut self, index: usize, code: i32) {
        let now = self.wall();
        let (role, asked) = (self.fleet.tasks[index].facts.role, self.fleet.tasks[index].stop_asked);
        self.say(|| format!("task {index} ({role:?} of {}) ends", short(&self.fleet.tasks[index].cluster)));
        if !asked {
            self.note_death(index, code);
        }
        // what is said first may not be quite true
        let corrected = self.fault(self.setup.faults.end_corrected);
        let said = if corrected { now + self.dice.between(-30 * S, 30 * S) } else { now };
        if corrected {
            let delay = self.dice.between(S, 200 * S);
            self.after(delay, Event::Task(index, Change::Correct(now)));
        }
        self.update(index, |facts| {
            facts.state = TaskState::Stopped;
            facts.stopped_at = Some(said.max(facts.started_at.or(facts.pulled_at).unwrap_or(said)));
            facts.exit_code = Some(code);
            facts.stop_code = Some(if asked { "UserInitiated" } else { "EssentialContainerExited" }.into());
        });
        match role {
            TaskRole::Scheduler => self.close_scheduler(index),
            TaskRole::Worker => self.lose_worker(index),
        }
    }
}

/// The most workers that a cluster may have.
pub fn cap(cluster: &Cluster, limits: &Effective) -> i64 {
    let of_one = |limit: Option<i64>| limit.unwrap_or(i64::MAX);
    let config = &cluster.config;
    let by_cores = limits.cluster_cores.as_ref().map(|l| (l.value / config.worker_cores).floor() as i64);
    let by_memory = limits.cluster_memory.as_ref().map(|l| (l.value / config.worker_memory.max(1)) as i64);
    let by_count = limits.cluster_workers.as_ref().map(|l| l.value);
    let own = config.cluster_max_workers.map(i64::from);
    of_one(own).min(of_one(by_count)).min(of_one(by_cores)).min(of_one(by_memory))
}

/// Where a scheduler's comm, dashboard and API listen.
pub fn ports(index: usize, shared: bool) -> [u16; 3] {
    if shared {
        let base = 10_000 + 3 * index as u16;
        [base, base + 1, base + 2]
    } else {
        [8786, 8787, 8788]
    }
}
