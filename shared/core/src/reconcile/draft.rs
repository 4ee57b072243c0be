//! The records as they are being decided on, beside what they were.

use super::bill::MONTHS;
use super::{Action, Plan, View};
use crate::model::{
    Amount, Cluster, Counts, Heartbeat, Launch, LaunchId, Month, Ms, Policy, Reason, ReasonCode, Record, Stored, Task,
    TaskFacts, TaskId, TaskRole, Version,
};
use crate::ports::{Expect, Write};
use crate::safety_rule;
use std::collections::{BTreeMap, BTreeSet};

/// Tasks and launches that one transaction may change, so that with cluster, heartbeat, 21 counters, the ledger's entries and a few
/// launches it stays below 100 items (DynamoDB's limit).
const CHANGES: usize = 96 - 2 - 21 - MONTHS;

/// A record being decided on. `before` is none while it is new.
pub(super) struct Entry<T> {
    pub before: Option<Stored<T>>,
    pub now: T,
}

impl<T: PartialEq + Clone> Entry<T> {
    fn known(stored: &Stored<T>) -> Self {
        Entry { before: Some(stored.clone()), now: stored.value.clone() }
    }

    fn changed(&self) -> bool {
        self.before.as_ref().is_none_or(|b| b.value != self.now)
    }

    /// Changes it, and has that written while there is room in the transaction; false where it is only decided by.
    fn amend(&mut self, room: &mut usize, change: impl FnOnce(&mut T)) -> bool {
        change(&mut self.now);
        if !self.changed() {
            return true;
        }
        if *room == 0 {
            self.before.iter_mut().for_each(|before| before.value = self.now.clone());
            return false;
        }
        *room -= 1;
        true
    }

    fn expect(&self) -> Expect {
        expect(self.before.as_ref().map(|b| b.version))
    }
}

fn expect(version: Option<Version>) -> Expect {
    version.map_or(Expect::Absent, Expect::Version)
}

pub(super) struct Draft<'a> {
    pub view: &'a View,
    pub policy: &'a Policy,
    pub now: Ms,
    pub cluster: Cluster,
    pub heartbeat: Heartbeat,
    pub launches: Vec<Entry<Launch>>,
    pub tasks: Vec<Entry<Task>>,
    /// What this decision adds to the ledger.
    pub bills: BTreeMap<Month, Amount>,
    pub before: Vec<Action>,
    pub after: Vec<Action>,
    /// Tasks at rest whose workers the scheduler says it has never seen.
    pub never_seen: BTreeSet<TaskId>,
    /// Tasks at rest whose workers the scheduler is asked about.
    pub to_ask: Vec<TaskId>,
    due_at: Option<Ms>,
}

impl<'a> Draft<'a> {
    pub fn new(view: &'a View, now: Ms, policy: &'a Policy) -> Self {
        let mut draft = Draft {
            view,
            policy,
            now,
            cluster: view.cluster.value.clone(),
            heartbeat: view.heartbeat.value.clone(),
            launches: view.launches.iter().map(Entry::known).collect(),
            tasks: view.tasks.iter().map(Entry::known).collect(),
            bills: BTreeMap::new(),
            before: Vec::new(),
            after: Vec::new(),
            never_seen: BTreeSet::new(),
            to_ask: Vec::new(),
            due_at: None,
        };
        draft.clamp();
        draft
    }

    /// Whatever was stored by a clock that was ahead is brought back before anything is decided by it.
    fn clamp(&mut self) {
        let (now, policy) = (self.now, self.policy);
        self.cluster.clamp(now, policy);
        self.heartbeat.clamp(now);
        let mut room = CHANGES / 2;
        let mut more = false;
        for launch in &mut self.launches {
            more |= !launch.amend(&mut room, |launch| launch.clamp(now, policy));
        }
        for task in &mut self.tasks {
            more |= !task.amend(&mut room, |task| task.clamp(now, policy));
        }
        if more {
            self.due(now + policy.check_ms);
        }
    }

    /// Something is awaited: look again at `at`.
    pub fn due(&mut self, at: Ms) {
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }

    /// Something is awaited; the switch shows what happens to waits that are not due.
    pub fn wait_until(&mut self, at: Ms) {
        if safety_rule!(self.policy, waits_are_due) {
            self.due(at);
        }
    }

    /// May more tasks and launches be changed in this transaction?
    pub fn has_room(&self) -> bool {
        self.changes() < CHANGES
    }

    fn changes(&self) -> usize {
        self.tasks.iter().filter(|t| t.changed()).count() + self.launches.iter().filter(|l| l.changed()).count()
    }

    /// How many more tasks and launches may be changed.
    pub fn room(&self) -> usize {
        CHANGES.saturating_sub(self.changes())
    }

    pub fn launch(&self, id: &LaunchId) -> Option<&Launch> {
        self.launches.iter().map(|l| &l.now).find(|l| l.id == *id)
    }

    /// How many tasks of a launch are known.
    pub fn known_tasks(&self, id: &LaunchId) -> u32 {
        self.tasks.iter().filter(|t| t.now.facts.launch == *id).count() as u32
    }

    /// Tasks of a role that may run.
    pub fn may_run(&self, role: TaskRole) -> impl Iterator<Item = &Task> {
        self.tasks.iter().map(|t| &t.now).filter(move |t| t.facts.role == role && t.may_run())
    }

    /// Tells a task to stop.
    pub fn stop(&mut self, id: &TaskId, code: ReasonCode, message: impl Into<String>) {
        let now = self.now;
        if let Some(task) = self.task_mut(id)
            && task.may_run()
            && task.stopping.is_none()
        {
            task.stopping = Some(Reason::new(code, message));
            task.next_stop = Some(now);
        }
    }

    pub fn task_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        self.tasks.iter_mut().map(|t| &mut t.now).find(|t| t.facts.id == *id)
    }

    pub fn launch_mut(&mut self, id: &LaunchId) -> Option<&mut Launch> {
        self.launches.iter_mut().map(|l| &mut l.now).find(|l| l.id == *id)
    }

    /// Takes what the launcher says of a task in, known or new. True when it is new.
    pub fn learn_task(&mut self, facts: &TaskFacts) -> bool {
        if self.task_mut(&facts.id).is_some() {
            let now = self.now;
            if let Some(task) = self.task_mut(&facts.id) {
                task.learn(facts, now);
            }
            return false;
        }
        let mut task = Task::new(self.cluster.name.clone(), facts.clone());
        task.facts.believe(facts, self.now);
        self.tasks.push(Entry { before: None, now: task });
        true
    }

    /// Adds a launch that is called at once, after the save.
    pub fn add_launch(&mut self, launch: Launch) {
        self.launches.push(Entry { before: None, now: launch });
    }

    /// The transaction and the actions.
    pub fn finish(mut self) -> Plan {
        self.cluster.due_at = self.due_at;
        self.cluster.charged.counts = self.charged();
        self.cluster.meter = self.meter();
        let delta = self.delta();
        let bounded = safety_rule!(self.policy, charge_conditionally) && self.reserves();
        let mut writes = Vec::new();
        for task in self.tasks.iter().filter(|t| t.changed()) {
            writes.push(Write::Put { record: Record::Task(task.now.clone()), expect: task.expect() });
        }
        for launch in self.launches.iter().filter(|l| l.changed()) {
            writes.push(Write::Put { record: Record::Launch(launch.now.clone()), expect: launch.expect() });
        }
        if self.heartbeat != self.view.heartbeat.value {
            let expect = Expect::Version(self.view.heartbeat.version);
            writes.push(Write::Put { record: Record::Heartbeat(self.heartbeat), expect });
        }
        if !delta.is_zero() {
            for scope in &self.view.cluster.value.charged.keys {
                let ceiling = if bounded { self.view.limits.ceiling(scope) } else { Counts::UNBOUNDED };
                writes.push(Write::Count { scope: scope.clone(), delta, ceiling, now: self.now, pace: None });
            }
        }
        for (month, amount) in self.bills.into_iter().filter(|(_, amount)| !amount.is_zero()) {
            let (user, cluster) = (self.cluster.user.clone(), self.cluster.name.clone());
            writes.push(Write::Bill { month, user, cluster, amount });
        }
        // every change of anything is saved on the cluster's version too: two turns never save what either did not see
        if !writes.is_empty() || self.cluster != self.view.cluster.value {
            let expect = Expect::Version(self.view.cluster.version);
            writes.push(Write::Put { record: Record::Cluster(Box::new(self.cluster)), expect });
        }
        Plan { before: self.before, writes, after: self.after, due_at: self.due_at }
    }
}
