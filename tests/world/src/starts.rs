//! How tasks start, and how starts fail.

use super::fleet::{Change, ports};
use super::setup::S;
use super::state::{Event, State, short};
use faregate_core::model::{TaskRole, TaskState};
use std::net::{IpAddr, Ipv4Addr};

/// How a start fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// By nobody's fault: a network interface that is late, a registry that is busy.
    Platform,
    /// Its image is not there.
    Image,
    /// Its worker ends by itself before it connects.
    Exit,
}

impl State {
    /// How the start of a task that was accepted will fail, if it does.
    pub fn doom_of(&mut self, role: TaskRole) -> Option<Doom> {
        if self.fault(self.setup.start_failures) {
            return Some(Doom::Platform);
        }
        if self.setup.broken_image == Some(role) {
            return Some(Doom::Image);
        }
        (role == TaskRole::Worker && self.fault(self.setup.broken_workers * 10)).then_some(Doom::Exit)
    }

    /// A task's time has come to begin to run.
    pub fn start(&mut self, index: usize) {
        let cluster = self.fleet.tasks[index].cluster.clone();
        if !self.credentials.contains(&cluster) {
            let living = self.records.clusters.get(&cluster).is_some_and(|c| c.value.wants_to_run());
            if living && !self.fleet.tasks[index].stop_asked {
                let id = self.fleet.tasks[index].facts.id.clone();
                self.breach("a task of a living cluster found no credentials", format!("{id} of {}", short(&cluster)));
            }
            return self.end(index, 1);
        }
        match self.fleet.tasks[index].doom {
            Some(Doom::Platform) => return self.fail_to_start(index, true),
            Some(Doom::Image) => return self.fail_to_start(index, false),
            Some(Doom::Exit) | None => {}
        }
        let (now, shared) = (self.wall(), self.setup.shared_address);
        self.update(index, |facts| {
            facts.state = TaskState::Running;
            facts.started_at = Some(now);
            let [high, low] = (index as u16).to_be_bytes();
            if shared {
                facts.address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
                facts.ports = Some(ports(index, true).to_vec());
            } else {
                facts.address = Some(IpAddr::V4(Ipv4Addr::new(10, 0, high, low)));
            }
        });
        match self.fleet.tasks[index].facts.role {
            TaskRole::Scheduler => self.open_scheduler(index),
            TaskRole::Worker if self.fleet.tasks[index].doom.is_some() => {
                let delay = self.dice.between(S, 6 * S);
                self.after(delay, Event::Task(index, Change::End(1)));
            }
            TaskRole::Worker => {
                let delay = self.dice.between(S, 9 * S);
                self.after(delay, Event::Task(index, Change::Connect));
            }
        }
    }

    /// It ends without having run.
    fn fail_to_start(&mut self, index: usize, by_platform: bool) {
        let now = self.wall();
        self.say(|| {
            format!("task {index} fails to start, {}", if by_platform { "by nobody's fault" } else { "for good" })
        });
        match by_platform {
            true => self.stats.failed_starts += 1,
            false => self.note_death(index, 1),
        }
        self.update(index, |facts| {
            (facts.state, facts.stopped_at, facts.lost_to_platform) = (TaskState::Stopped, Some(now), by_platform);
            facts.stop_code = Some("TaskFailedToStart".into());
        });
    }
}
