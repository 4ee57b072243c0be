//! Dask schedulers with the official preload: one heartbeat after another, silence while workers retire, haste when the wanted
//! count changes.

use super::fleet::{Change, ports};
use super::setup::S;
use super::state::{Event, State, short};
use super::work::Work;
use faregate_core::model::{Content, Ms, TaskRole};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What the heartbeat loop is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loop {
    /// Between two heartbeats; the number tells this pause from others.
    Waiting(u64),
    /// A heartbeat is under way.
    Sending(u64),
    /// Workers are being retired.
    Retiring,
}

/// One scheduler process.
pub struct Dask {
    /// Wanted workers.
    pub count: u32,
    /// Adapting between these.
    pub adapts: Option<(u32, u32)>,
    /// Connected workers, by task.
    pub connected: BTreeSet<usize>,
    /// Being retired.
    closing: BTreeSet<usize>,
    /// Gone, or restarting.
    closed: BTreeSet<usize>,
    /// Told to leave by us, and on the way.
    pub leaving: BTreeSet<usize>,
    /// It lets nobody go, whatever it says: the workers' tasks never end.
    pub stubborn: bool,
    /// Nobody is connected, since; none = somebody is.
    pub clientless_since: Option<Ms>,
    /// When a client connected last.
    pub client_since: Ms,
    /// A client has connected, first then.
    pub claimed_at: Option<Ms>,
    /// What its clients were warned of.
    pub warned: Vec<String>,
    /// It answers nobody any more.
    pub hung: bool,
    /// It answers nobody, and does nothing else, until then.
    pub occupied_until: Ms,
    /// It has had work since; none = it has none.
    pub busy_since: Option<Ms>,
    /// When it had no work any more, or began.
    pub idle_since: Ms,
    at: Loop,
    pauses: u64,
    interrupted: bool,
    backoff: Ms,
}

/// What a scheduler does at some moment.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// The pause of this number is over.
    Beat(u64),
    /// The heartbeat of this number was answered (or refused), naming these closing workers.
    Answered(u64, bool, Vec<usize>),
    /// Its workers are retired.
    Retired(Vec<usize>),
    /// A worker that we told to leave does so.
    Left(usize),
    /// The pause is cut short.
    Interrupt,
    /// Adaptive scaling looks at the work.
    Adapt,
    /// A client connects, or the last one leaves.
    Client(bool),
}

impl Dask {
    /// Workers that connected at some time.
    pub fn seen(&self) -> impl Iterator<Item = &usize> {
        self.connected.iter().chain(&self.closed)
    }
}

impl State {
    /// A scheduler's process begins.
    pub fn open_scheduler(&mut self, index: usize) {
        let (busy, stubborn) = (self.dice.percent(60), self.dice.percent(20));
        let dask = Dask {
            count: 0,
            adapts: None,
            connected: BTreeSet::new(),
            closing: BTreeSet::new(),
            closed: BTreeSet::new(),
            leaving: BTreeSet::new(),
            stubborn,
            clientless_since: Some(self.now),
            client_since: self.now,
            claimed_at: None,
            warned: Vec::new(),
            hung: false,
            occupied_until: 0,
            busy_since: busy.then_some(self.now),
            idle_since: self.now,
            at: Loop::Waiting(0),
            pauses: 0,
            interrupted: false,
            backoff: 250,
        };
        self.dask.insert(index, dask);
        if self.dice.percent(85) {
            let soon = self.dice.between(S, 60 * S);
            self.after(soon, Event::Dask(index, Schedule::Client(true)));
        }
        self.after(250, Event::Dask(index, Schedule::Beat(0)));
    }

    /// A scheduler's process ends; its workers follow, most of them.
    pub fn close_scheduler(&mut self, index: usize) {
        let Some(dask) = self.dask.get_mut(&index) else { return };
        for worker in std::mem::take(&mut dask.connected) {
            if self.dice.percent(60) {
                let delay = self.dice.between(2 * S, 60 * S);
                self.after(delay, Event::Task(worker, Change::End(0)));
            }
        }
    }

    /// Does this scheduler run and answer?
    pub fn is_healthy(&self, index: usize) -> bool {
        self.fleet.tasks[index].runs() && self.dask.get(&index).is_some_and(|d| !d.hung)
    }

    /// Is its event loop blocked at the moment?
    pub fn is_occupied(&self, index: usize) -> bool {
        self.dask.get(&index).is_some_and(|d| self.now < d.occupied_until)
    }

    /// Its event loop is blocked for a while: by a very large graph, say.
    pub fn keep_busy(&mut self, index: usize, time: Ms) {
        self.say(|| format!("scheduler {index} is busy for {} s", time / S));
        let (until, cluster) = (self.now + time, self.fleet.tasks[index].cluster.clone());
        self.ground_truth(&cluster).was_busy = true;
        if let Some(dask) = self.dask.get_mut(&index) {
            dask.occupied_until = until;
        }
    }

    /// The healthy scheduler of the cluster that a task belongs to.
    fn scheduler_of(&self, task: usize) -> Option<usize> {
        let cluster = &self.fleet.tasks[task].cluster;
        self.dask.keys().copied().find(|i| self.fleet.tasks[*i].cluster == *cluster && self.is_healthy(*i))
    }

    /// A worker connects, or tries.
    pub fn connect(&mut self, worker: usize) {
        let started = self.fleet.tasks[worker].facts.started_at.unwrap_or(self.wall());
        let Some(scheduler) = self.scheduler_of(worker) else {
            let (delay, change) =
                if self.wall() - started > 60 * S { (0, Change::End(1)) } else { (5 * S, Change::Connect) };
            return self.after(delay, Event::Task(worker, change));
        };
        if self.is_occupied(scheduler) {
            return self.after(5 * S, Event::Task(worker, Change::Connect));
        }
        self.fleet.tasks[worker].connected_at.get_or_insert(self.now);
        let Some(dask) = self.dask.get_mut(&scheduler) else { return };
        dask.connected.insert(worker);
        dask.closed.remove(&worker);
        dask.closing.remove(&worker);
        if dask.connected.len() > dask.count as usize {
            self.after(S, Event::Dask(scheduler, Schedule::Interrupt));
        }
    }

    /// A worker's connection ends.
    pub fn lose_worker(&mut self, worker: usize) {
        let Some(scheduler) = self.scheduler_of(worker) else { return };
        let Some(dask) = self.dask.get_mut(&scheduler) else { return };
        dask.leaving.remove(&worker);
        if dask.connected.remove(&worker) {
            dask.closed.insert(worker);
            if !dask.closing.remove(&worker) {
                self.after(3 * S, Event::Dask(scheduler, Schedule::Interrupt));
            }
        }
    }

    /// A nanny restarts its worker: for a while the scheduler calls it closed.
    pub fn restart_worker(&mut self, worker: usize) {
        self.say(|| format!("worker {worker} restarts"));
        self.lose_worker(worker);
        self.fleet.tasks[worker].restarting = Some(self.now);
        let longest = if self.dice.percent(70) { 8 * S } else { self.setup.policy.worker_start_timeout_ms / 3 };
        let away = self.dice.between(2 * S, longest);
        self.after(away, Event::Task(worker, Change::Back));
    }

    /// It is back.
    pub fn come_back(&mut self, worker: usize) {
        self.fleet.tasks[worker].restarting = None;
        self.connect(worker);
    }

    /// Work comes or goes.
    pub fn set_work(&mut self, scheduler: usize, busy: bool) {
        let now = self.now;
        let Some(dask) = self.dask.get_mut(&scheduler) else { return };
        match (dask.busy_since, busy) {
            (None, true) => dask.busy_since = Some(now),
            (Some(_), false) => (dask.busy_since, dask.idle_since) = (None, now),
            _ => {}
        }
    }

    /// A scheduler does what it does now.
    pub fn schedule(&mut self, index: usize, what: Schedule) {
        if !self.is_healthy(index) {
            return;
        }
        if self.is_occupied(index) {
            let later = self.dask[&index].occupied_until - self.now;
            return self.after(later, Event::Dask(index, what));
        }
        let Some(dask) = self.dask.get_mut(&index) else { return };
        match what {
            Schedule::Beat(pause) if dask.at == Loop::Waiting(pause) => self.beat(index),
            Schedule::Answered(number, well, closing) if dask.at == Loop::Sending(number) => {
                if !well {
                    dask.backoff = (dask.backoff * 2).min(self.setup.heartbeat_ms);
                    let pause = dask.backoff;
                    return self.wait(index, pause);
                }
                dask.backoff = 250;
                if closing.is_empty() {
                    return self.wait(index, self.setup.heartbeat_ms);
                }
                dask.at = Loop::Retiring;
                dask.closing.extend(&closing);
                let longest = if self.faulty() { self.setup.retire_ms } else { 5 * S };
                let time = self.dice.between(S, longest);
                self.after(time, Event::Dask(index, Schedule::Retired(closing)));
            }
            Schedule::Retired(workers) => {
                for worker in workers {
                    self.retire(index, worker);
                }
                self.wait(index, self.setup.heartbeat_ms);
            }
            Schedule::Left(worker) => self.retire(index, worker),
            Schedule::Client(true) => {
                (dask.clientless_since, dask.client_since) = (None, self.now);
                dask.claimed_at.get_or_insert(self.now);
            }
            Schedule::Client(false) => {
                dask.clientless_since.get_or_insert(self.now);
            }
            Schedule::Interrupt => match dask.at {
                Loop::Waiting(_) => self.beat(index),
                Loop::Sending(_) | Loop::Retiring => dask.interrupted = true,
            },
            Schedule::Adapt => self.adapt(index),
            _ => {}
        }
    }

    fn wait(&mut self, index: usize, pause: Ms) {
        let Some(dask) = self.dask.get_mut(&index) else { return };
        dask.pauses += 1;
        dask.at = Loop::Waiting(dask.pauses);
        let pause = if std::mem::take(&mut dask.interrupted) { 10 } else { pause };
        let number = dask.pauses;
        self.after(pause, Event::Dask(index, Schedule::Beat(number)));
    }

    fn retire(&mut self, index: usize, worker: usize) {
        let Some(dask) = self.dask.get_mut(&index) else { return };
        dask.closing.remove(&worker);
        dask.leaving.remove(&worker);
        if dask.connected.remove(&worker) {
            dask.closed.insert(worker);
            self.fleet.tasks[worker].stop_asked = true; // it ends well, and as asked
            let delay = self.dice.between(S, 9 * S);
            self.after(delay, Event::Task(worker, Change::End(0)));
        }
    }

    fn beat(&mut self, index: usize) {
        let (name, shared) = (self.fleet.tasks[index].cluster.clone(), self.setup.shared_address);
        let ip = self.fleet.tasks[index].facts.address.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        let [scheduler, dashboard, api] = ports(index, shared).map(|port| Some(SocketAddr::new(ip, port)));
        let Some(dask) = self.dask.get_mut(&index) else { return };
        dask.pauses += 1;
        let number = dask.pauses;
        dask.at = Loop::Sending(number);
        let surplus = dask.connected.len().saturating_sub(dask.count as usize);
        let closing: Vec<usize> = dask.connected.iter().rev().take(surplus).copied().collect();
        let names = |tasks: &mut dyn Iterator<Item = &usize>| -> BTreeSet<String> {
            tasks.map(|i| self.fleet.tasks[*i].worker_name()).collect()
        };
        let content = Content {
            scheduler,
            dashboard,
            api,
            count: dask.count,
            active: names(&mut dask.connected.iter().filter(|i| !closing.contains(i))),
            closing: names(&mut closing.iter()),
            closed: names(&mut dask.closed.iter()),
        };
        self.say(|| format!("heartbeat of {} ({index}): {}", short(&name), summary(&content)));
        let out = self.is_out() || self.is_within(self.setup.front_door_shut) || self.is_within(self.setup.cut_off);
        if out {
            return self.after(S, Event::Dask(index, Schedule::Answered(number, false, closing)));
        }
        // the preload's HTTP client gives up after 20 s
        self.after(20 * S, Event::Dask(index, Schedule::Answered(number, false, closing.clone())));
        self.after(
            20,
            Event::Start(Work::Heartbeat { scheduler: index, number, name, content: Box::new(content), closing }),
        );
    }

    fn adapt(&mut self, index: usize) {
        let (wish, pause) = (self.dice.below(self.setup.most + 1) as u32, self.dice.between(60 * S, 200 * S));
        let calm = !self.faulty();
        let Some(dask) = self.dask.get_mut(&index) else { return };
        let Some((least, most)) = dask.adapts else { return };
        if calm && dask.count >= least {
            return;
        }
        dask.count = wish.clamp(least, most.max(least));
        self.after(0, Event::Dask(index, Schedule::Interrupt));
        self.after(pause, Event::Dask(index, Schedule::Adapt));
    }

    /// Running tasks of a role.
    pub fn running(&self, role: TaskRole) -> Vec<usize> {
        let all = 0..self.fleet.tasks.len();
        all.filter(|i| self.fleet.tasks[*i].runs() && self.fleet.tasks[*i].facts.role == role).collect()
    }
}

fn summary(content: &Content) -> String {
    let Content { count, active, closing, closed, .. } = content;
    format!("wants {count}, active {active:?}, closing {closing:?}, closed {closed:?}")
}
