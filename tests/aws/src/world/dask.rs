//! A scheduler that is nothing but what it says: heartbeats, retirements, answers. See the real one in dask-gateway's
//! `scheduler_preload.py`.

use super::setup::HEARTBEAT_MS;
use faregate_core::model::{ClusterName, Content, Ms, TaskId};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// One scheduler.
#[derive(Clone, Debug)]
pub struct Dask {
    pub cluster: ClusterName,
    pub address: IpAddr,
    /// Workers it wants.
    pub count: u32,
    pub connected: BTreeSet<TaskId>,
    pub closed: BTreeSet<TaskId>,
    /// Named closing in the heartbeat under way, or being retired.
    pub closing: BTreeSet<TaskId>,
    /// Workers whose nannies restart them, and until when.
    pub restarting: Vec<(Ms, TaskId)>,
    pub at: Loop,
    /// It says nothing and answers nothing, for ever.
    pub hung: bool,
    /// None = it has work.
    pub idle_since: Option<Ms>,
}

/// Where its loop is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loop {
    /// The next heartbeat leaves then.
    Waiting(Ms),
    Sending,
    /// Until then it retires workers, and tells nothing.
    Retiring(Ms),
}

impl Dask {
    pub fn new(cluster: ClusterName, address: IpAddr, first_beat: Ms) -> Dask {
        Dask {
            cluster,
            address,
            count: 0,
            connected: BTreeSet::new(),
            closed: BTreeSet::new(),
            closing: BTreeSet::new(),
            restarting: Vec::new(),
            at: Loop::Waiting(first_beat),
            hung: false,
            idle_since: None,
        }
    }

    pub fn connect(&mut self, worker: TaskId) {
        self.closed.remove(&worker);
        self.connected.insert(worker);
    }

    /// A worker is gone, or for a while.
    pub fn lose(&mut self, worker: &TaskId) {
        if self.connected.remove(worker) {
            self.closed.insert(worker.clone());
        }
        self.closing.remove(worker);
    }

    /// What it says now. Those that are too many are closing.
    pub fn beat(&mut self) -> Content {
        self.at = Loop::Sending;
        let surplus = self.connected.len().saturating_sub(self.count as usize);
        self.closing = self.connected.iter().rev().take(surplus).cloned().collect();
        let names = |tasks: &mut dyn Iterator<Item = &TaskId>| tasks.map(TaskId::worker_name).collect();
        let at = |port| Some(SocketAddr::new(self.address, port));
        Content {
            scheduler: at(8786),
            dashboard: at(8787),
            api: at(8788),
            count: self.count,
            active: names(&mut self.connected.difference(&self.closing)),
            closing: names(&mut self.closing.iter()),
            closed: names(&mut self.closed.iter()),
        }
    }

    /// Its heartbeat was answered, or not.
    pub fn answered(&mut self, well: bool, now: Ms, retirement: Ms) {
        self.at = match well {
            true if !self.closing.is_empty() => Loop::Retiring(now + retirement),
            true => Loop::Waiting(now + HEARTBEAT_MS),
            false => Loop::Waiting(now + HEARTBEAT_MS / 2),
        };
    }

    /// The workers it has retired by now: they end by themselves.
    pub fn retired(&mut self, now: Ms) -> BTreeSet<TaskId> {
        if !matches!(self.at, Loop::Retiring(until) if until <= now) {
            return BTreeSet::new();
        }
        self.at = Loop::Waiting(now);
        let retired = std::mem::take(&mut self.closing);
        retired.iter().for_each(|worker| self.lose(worker));
        retired
    }
}
