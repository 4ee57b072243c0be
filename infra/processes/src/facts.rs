//! What is known of tasks.

use super::output::last_lines;
use super::ports::listening;
use super::processes::{Process, Table};
use super::records::{Exit, LaunchRecord, StopCode, TaskDir};
use super::{Index, Inner, lock, wall_clock};
use faregate_core::model::{ClusterName, LaunchId, Ms, TaskFacts, TaskId, TaskRole, TaskState};
use faregate_core::ports::TaskPage;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;

/// The variable that names the task to its processes.
pub(super) const TASK_ID: &str = "FAREGATE_TASK_ID";

/// Whether to look for the ports that a scheduler listens on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    Look,
    NoneYet,
}

/// A task, and where to look for news of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub cluster: ClusterName,
    launch: LaunchId,
    role: TaskRole,
    accepted_at: Ms,
    /// None = of an earlier start of the machine.
    pub supervisor: Option<Process>,
    /// At rest: this will not change any more.
    done: Option<TaskFacts>,
}

impl Index {
    /// Takes in a launch as it is on disk.
    pub(super) fn add(&mut self, record: &LaunchRecord, boot: &str) {
        for (id, supervisor) in &record.tasks {
            let entry = Entry {
                cluster: record.cluster.clone(),
                launch: record.id.clone(),
                role: record.role,
                accepted_at: record.accepted_at,
                supervisor: (record.boot == boot).then_some(*supervisor),
                done: self.tasks.get(id).and_then(|known| known.done.clone()),
            };
            self.tasks.insert(id.clone(), entry);
        }
        self.launches.insert(record.id.clone(), record.tasks.keys().cloned().collect());
    }

    pub(super) fn of_cluster(&self, cluster: &ClusterName) -> Vec<TaskId> {
        self.tasks.iter().filter(|(_, entry)| entry.cluster == *cluster).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn forget(&mut self, cluster: &ClusterName) {
        self.tasks.retain(|_, entry| entry.cluster != *cluster);
        self.launches.retain(|launch, _| launch.cluster().as_ref() != Ok(cluster));
    }
}

impl Entry {
    /// What of the task still runs, besides its supervisor. Without a supervisor to inherit them, processes in sessions of their own are
    /// found by the task's id in their environment. Found empty, it is looked at again: while `/proc` is read entry by
    /// entry, a process that forks and ends can be missed along with its child.
    pub(super) fn members(&self, id: &TaskId) -> io::Result<Vec<Process>> {
        let Some(supervisor) = &self.supervisor else { return Ok(Vec::new()) };
        let look = || {
            let table = Table::read()?;
            let mut members = table.members(supervisor);
            if !supervisor.is_alive()? {
                let marked = table.marked(&format!("{TASK_ID}={id}"), supervisor)?;
                members.extend(marked.iter().filter(|process| !members.contains(process)).collect::<Vec<_>>());
            }
            io::Result::Ok(members)
        };
        let members = look()?;
        if members.is_empty() { look() } else { Ok(members) }
    }

    pub(super) fn supervisor_is_alive(&self) -> io::Result<bool> {
        self.supervisor.map_or(Ok(false), |supervisor| supervisor.is_alive())
    }

    fn facts(&self, id: &TaskId, state: TaskState, dir: &TaskDir) -> io::Result<TaskFacts> {
        let started_at = dir.started()?.map(|started| started.at);
        Ok(TaskFacts {
            id: id.clone(),
            launch: self.launch.clone(),
            role: self.role,
            version: 0,
            state,
            accepted_at: self.accepted_at,
            pulled_at: started_at,
            started_at,
            stopped_at: None,
            stop_code: None,
            stop_reason: None,
            exit_code: None,
            capacity: Some("local".to_owned()),
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ports: Some(Vec::new()),
            lost_to_platform: false,
            last_lines: Vec::new(),
        })
    }

    fn running(&self, id: &TaskId, dir: &TaskDir, ports: Ports) -> io::Result<TaskFacts> {
        let mut facts = self.facts(id, TaskState::Starting, dir)?;
        facts.version = 1;
        if facts.started_at.is_some() {
            facts.state = TaskState::Running;
            facts.version = 2;
        }
        if facts.state == TaskState::Running && self.role == TaskRole::Scheduler && ports == Ports::Look {
            let ports = listening(&self.members(id)?)?;
            // A version of its own: the news of the start, arriving late, must not take the ports back.
            facts.version += u64::from(!ports.is_empty());
            facts.ports = Some(ports);
        }
        Ok(facts)
    }

    fn stopped(&self, id: &TaskId, dir: &TaskDir, exit: Exit) -> io::Result<TaskFacts> {
        let last_lines = if exit.stop == StopCode::Stopped { Vec::new() } else { last_lines(dir)? };
        Ok(TaskFacts {
            version: 4,
            stopped_at: Some(exit.at),
            stop_code: Some(exit.stop.as_str().to_owned()),
            stop_reason: Some(exit.reason),
            exit_code: exit.code,
            last_lines,
            ..self.facts(id, TaskState::Stopped, dir)?
        })
    }
}

impl Inner {
    /// How a task stands now; none = unknown, or never ordered to run.
    pub(super) fn facts(&self, id: &TaskId) -> io::Result<Option<TaskFacts>> {
        self.look(id, Ports::Look)
    }

    /// The same, of a task that has just been started: it cannot listen yet, and all processes would be gone through in vain.
    pub(super) fn facts_at_start(&self, id: &TaskId) -> io::Result<Option<TaskFacts>> {
        self.look(id, Ports::NoneYet)
    }

    fn look(&self, id: &TaskId, ports: Ports) -> io::Result<Option<TaskFacts>> {
        let Some(entry) = lock(&self.index).tasks.get(id).cloned() else { return Ok(None) };
        if entry.done.is_some() {
            return Ok(entry.done);
        }
        let dir = self.dir(&entry.cluster).task(id);
        // Processes first, files second: who is gone has written all it ever will.
        if entry.supervisor_is_alive()? || !entry.members(id)?.is_empty() {
            return entry.running(id, &dir, ports).map(Some);
        }
        let Some(exit) = self.how_it_ended(&entry, &dir)? else { return Ok(None) };
        let facts = entry.stopped(id, &dir, exit)?;
        if let Some(known) = lock(&self.index).tasks.get_mut(id) {
            known.done = Some(facts.clone());
        }
        Ok(Some(facts))
    }

    /// How a task that is gone ended; none = it was never started.
    fn how_it_ended(&self, entry: &Entry, dir: &TaskDir) -> io::Result<Option<Exit>> {
        let exit = dir.exit()?;
        if exit.is_some() || dir.started()?.is_none() {
            return Ok(exit);
        }
        let reason = match entry.supervisor {
            None => "the machine was restarted",
            Some(_) => "its supervisor was killed, so how it ended is not known",
        };
        dir.write_exit(&Exit { at: wall_clock(), code: None, stop: StopCode::Lost, reason: reason.to_owned() })?;
        dir.exit() // whichever was first
    }

    pub(super) fn describe(&self, tasks: &[TaskId]) -> io::Result<Vec<Option<TaskFacts>>> {
        tasks.iter().map(|id| self.facts(id)).collect()
    }

    pub(super) fn list_launch(&self, launch: &LaunchId) -> io::Result<Vec<TaskFacts>> {
        let ids = lock(&self.index).launches.get(launch).cloned().unwrap_or_default();
        Ok(self.describe(&ids)?.into_iter().flatten().collect())
    }

    pub(super) fn list(&self, after: Option<TaskId>) -> io::Result<TaskPage> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = self.settings.page.max(1);
        let ids: Vec<TaskId> = {
            let index = lock(&self.index);
            let open = index.tasks.range((from, Bound::Unbounded)).filter(|(_, entry)| entry.done.is_none());
            open.map(|(id, _)| id.clone()).take(page).collect()
        };
        let cursor = (ids.len() == page).then(|| ids.last().map(TaskId::to_string)).flatten();
        let found = self.describe(&ids)?.into_iter().flatten();
        Ok(TaskPage { tasks: found.filter(|facts| facts.state != TaskState::Stopped).collect(), cursor })
    }
}
