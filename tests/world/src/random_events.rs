//! What nobody asked for: deaths, hangs, restarts, shortages; and what users do.

use super::draw;
use super::fleet::Change;
use super::scheduler::Schedule;
use super::setup::{END, FAULT_END, S};
use super::state::{Event, RandomEvent, State};
use super::work::Work;
use faregate_core::model::{Identity, Ms, Scope, TaskRole};

impl State {
    /// Fills the future.
    pub fn plan(&mut self) {
        let setup = self.setup.clone();
        if let Some(count) = setup.grows_to {
            return self.plan_growth(count);
        }
        for (scope, limits) in setup.limits {
            self.records.put_limits(&scope, Some(&limits));
        }
        self.note_limits();
        self.plan_edits();
        for who in &setup.users {
            for _ in 0..setup.clusters {
                let at = self.dice.below(20 * S);
                self.after(at, Event::Start(Work::Create(who.clone())));
            }
            for _ in 0..setup.clusters.min(4) {
                self.plan_use(who);
            }
            let at = self.dice.between(60 * S, FAULT_END);
            let other = self.in_other_groups(who);
            self.after(at, Event::Start(Work::Create(other)));
        }
        let users = setup.users.iter().map(|who| Scope::User(who.name.clone()));
        let groups = draw::GROUPS.iter().map(|group| Scope::Group((*group).to_owned()));
        let groups = groups.filter(|_| setup.users.iter().any(|who| !who.groups.is_empty()));
        for scope in users.chain(groups) {
            let mut at = self.dice.between(60 * S, 200 * S);
            while at < END {
                self.after(at, Event::Start(Work::Recount(scope.clone())));
                at += if at < FAULT_END { setup.recount_ms } else { 300 * S } + self.dice.below(5 * S);
            }
        }
        let mut random_events = vec![
            (RandomEvent::Kill, setup.kills),
            (RandomEvent::Hang, setup.hangs),
            (RandomEvent::Restart, setup.restarts),
        ];
        random_events.push((RandomEvent::Busy, setup.busy));
        random_events.push((RandomEvent::Work, 6));
        random_events.push((RandomEvent::Clients, 4));
        random_events.push((RandomEvent::Exit, i64::from(self.dice.percent(10))));
        for (random_event, times) in random_events {
            for _ in 0..times {
                let at = self.dice.between(60 * S, FAULT_END);
                self.after(at, Event::RandomEvent(random_event));
            }
        }
        let at = self.dice.below(400 * S);
        self.after(at, Event::RandomEvent(RandomEvent::Capacity));
        self.after(60 * S, Event::RandomEvent(RandomEvent::Minute));
        for _ in 0..setup.process_crashes {
            let (at, process) = (self.dice.below(FAULT_END), self.dice.below(2));
            self.after(at, Event::ProcessCrash(process as usize));
        }
        if let Some((at, ahead)) = setup.clock {
            self.after(at, Event::Start(Work::ClockSet(-ahead)));
        }
        if let Some((from, _)) = setup.outage {
            self.after(from, Event::ProcessCrash(0));
            self.after(from, Event::ProcessCrash(1));
        }
    }

    /// Users go on asking until they have got so many workers.
    fn plan_growth(&mut self, count: u32) {
        self.after(60 * S, Event::RandomEvent(RandomEvent::Minute));
        for who in self.setup.users.clone() {
            self.after(0, Event::Start(Work::Create(who.clone())));
            for at in (60 * S..FAULT_END).step_by(60 * S as usize) {
                self.after(at, Event::Start(Work::Scale(who.clone(), count)));
            }
        }
    }

    fn plan_edits(&mut self) {
        for _ in 0..self.setup.edits {
            let at = self.dice.between(30 * S, FAULT_END);
            self.after(at, Event::RandomEvent(RandomEvent::Edit));
        }
        if let Some(at) = self.setup.late_edit {
            self.after(at, Event::RandomEvent(RandomEvent::Lower));
        }
        if self.setup.all_stopped {
            for who in self.setup.users.clone() {
                let at = FAULT_END + self.dice.between(900 * S, 1_200 * S);
                self.after(at, Event::Start(Work::StopAll(who)));
            }
        }
    }

    /// Somebody, now and then after a change of their groups.
    fn in_other_groups(&mut self, who: &Identity) -> Identity {
        match !who.groups.is_empty() && self.dice.percent(30) {
            true => Identity { groups: draw::groups(&mut self.dice), ..who.clone() },
            false => who.clone(),
        }
    }

    fn plan_use(&mut self, who: &Identity) {
        let most = self.setup.most;
        for _ in 0..4 {
            let at = self.dice.between(50 * S, FAULT_END);
            let work = match self.dice.below(10) {
                0..8 => Work::Scale(who.clone(), self.dice.below(most + 1) as u32),
                _ => {
                    let least = self.dice.below(3) as u32;
                    let bounds = (self.dice.percent(60).then_some(least), self.dice.percent(60).then_some(least + 3));
                    Work::Adapt(who.clone(), bounds.0, bounds.1)
                }
            };
            self.after(at, Event::Start(work));
        }
        if self.setup.base.lifetime > 0.0 && self.dice.percent(50) {
            let (at, seconds) = (self.dice.between(100 * S, FAULT_END), self.dice.between(100, 2_000));
            self.after(at, Event::Start(Work::Extend(who.clone(), seconds)));
        }
        if self.dice.percent(10) {
            let at = self.dice.between(100 * S, FAULT_END);
            self.after(at, Event::Start(Work::AdminStop(who.clone())));
        }
        if self.dice.percent(50) {
            let at = self.dice.between(30 * S, FAULT_END + 60 * S);
            self.after(at, Event::Start(Work::Stop(who.clone())));
        }
        if self.dice.percent(30) {
            let (at, count) = (FAULT_END + self.dice.below(60 * S), self.dice.below(most + 1) as u32);
            self.after(at, Event::Start(Work::Scale(who.clone(), count)));
        }
    }

    fn one_of(&mut self, from: &[usize]) -> Option<usize> {
        let n = self.dice.below(from.len() as Ms) as usize;
        from.get(n).copied()
    }

    /// Lets one happen. Longer than a function should be: one arm for each kind.
    pub fn happen(&mut self, random_event: RandomEvent) {
        match random_event {
            RandomEvent::Kill => {
                let role = if self.dice.percent(75) { TaskRole::Worker } else { TaskRole::Scheduler };
                let victims = self.running(role);
                if let Some(task) = self.one_of(&victims) {
                    self.after(0, Event::Task(task, Change::End(137)));
                }
            }
            RandomEvent::Hang => {
                let victims = self.running(TaskRole::Scheduler);
                if let Some(task) = self.one_of(&victims) {
                    self.say(|| format!("scheduler {task} hangs"));
                    let (now, cluster) = (self.now, self.fleet.tasks[task].cluster.clone());
                    let ground_truth = self.ground_truth(&cluster);
                    (ground_truth.hung, ground_truth.touched_at) = (true, now);
                    if let Some(dask) = self.dask.get_mut(&task) {
                        dask.hung = true;
                    }
                }
            }
            RandomEvent::Busy => {
                let schedulers = self.running(TaskRole::Scheduler);
                if let Some(task) = self.one_of(&schedulers) {
                    let longest = self.setup.policy.scheduler_busy_timeout_ms - 400 * S;
                    let busy_for = self.dice.between(60 * S, longest.min(400 * S));
                    self.keep_busy(task, busy_for);
                }
            }
            RandomEvent::Restart => {
                let workers = self.running(TaskRole::Worker);
                let connected: Vec<usize> =
                    workers.into_iter().filter(|i| self.dask.values().any(|d| d.connected.contains(i))).collect();
                if let Some(task) = self.one_of(&connected) {
                    self.restart_worker(task);
                }
            }
            RandomEvent::Capacity => {
                self.capacity = !self.capacity;
                let time =
                    if self.capacity { self.dice.between(60 * S, 400 * S) } else { self.dice.between(5 * S, 90 * S) };
                if self.faulty() {
                    self.after(time, Event::RandomEvent(RandomEvent::Capacity));
                }
            }
            RandomEvent::Work => {
                let schedulers = self.running(TaskRole::Scheduler);
                if let Some(task) = self.one_of(&schedulers) {
                    let busy = self.dice.percent(60);
                    self.set_work(task, busy);
                }
            }
            RandomEvent::Exit => {
                let schedulers = self.running(TaskRole::Scheduler);
                if let Some(task) = self.one_of(&schedulers) {
                    let cluster = self.fleet.tasks[task].cluster.clone();
                    self.ground_truth(&cluster).exited = true;
                    self.after(0, Event::Start(Work::Exit(cluster)));
                    let delay = self.dice.between(100, 3 * S);
                    self.after(delay, Event::Task(task, Change::End(0)));
                }
            }
            RandomEvent::Clients => {
                let schedulers = self.running(TaskRole::Scheduler);
                if let Some(task) = self.one_of(&schedulers) {
                    let comes = self.dice.percent(60);
                    self.after(0, Event::Dask(task, Schedule::Client(comes)));
                }
            }
            RandomEvent::Edit => self.edit_something(),
            RandomEvent::Mend => self.mend(),
            RandomEvent::Lower => self.lower_something(),
            RandomEvent::Minute => self.minute(),
        }
    }

    /// Every minute a pass, now and then none, or two at once; sweeps and recounts less often.
    fn minute(&mut self) {
        self.after(60 * S, Event::RandomEvent(RandomEvent::Minute));
        self.check_promptness();
        self.check_hold();
        let passes =
            if self.fault(100) || self.is_within(self.setup.no_passes) { 0 } else { 1 + u32::from(self.fault(150)) };
        for _ in 0..passes {
            let at = self.dice.below(5 * S);
            self.after(at, Event::Start(Work::Enforce));
        }
        let minute = self.age() / (60 * S);
        if minute % 2 == 0 && !self.is_within(self.setup.no_passes) && !self.fault(200) {
            self.after(10 * S, Event::Start(Work::OrphanScan));
        }
    }
}
