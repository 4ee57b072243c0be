//! What a decision makes of the records: as they are now, beside what they were.
//!
//! Every phase works on [`Changes`]; [`Changes::into_plan`] turns what differs into one transaction. That has room for so many records:
//! a phase that changes many asks [`Changes::changes_left`] and leaves the rest to the next decision.

use super::cost::MONTHS;
use super::{Action, Plan, Snapshot, cost};
use crate::limits::reservations;
use crate::model::{
    Amount, Cluster, Counts, Heartbeat, Launch, LaunchId, Month, Ms, Policy, Reason, Record, Stored, Task, TaskFacts,
    TaskId, TaskRole,
};
use crate::ports::{Expect, Write};
use crate::safety_rule;
use std::collections::{BTreeMap, BTreeSet};

/// Tasks and launches that one transaction may change, so that with cluster, heartbeat, 21 counters, the ledger's entries and a few
/// launches it stays below 100 items (DynamoDB's limit).
const MOST_CHANGES: usize = 96 - 2 - 21 - MONTHS;

/// A record being decided on. `before` is none while it is new.
struct Entry<T> {
    before: Option<Stored<T>>,
    now: T,
}

impl<T: PartialEq + Clone> Entry<T> {
    fn known(stored: &Stored<T>) -> Self {
        Entry { before: Some(stored.clone()), now: stored.value.clone() }
    }

    fn changed(&self) -> bool {
        self.before.as_ref().is_none_or(|b| b.value != self.now)
    }

    /// Changes it, and has that written while the transaction has room; false where it is only decided by.
    fn amend(&mut self, left: &mut usize, change: impl FnOnce(&mut T)) -> bool {
        change(&mut self.now);
        if !self.changed() {
            return true;
        }
        if *left == 0 {
            self.before.iter_mut().for_each(|before| before.value = self.now.clone());
            return false;
        }
        *left -= 1;
        true
    }

    fn expect(&self) -> Expect {
        self.before.as_ref().map_or(Expect::Absent, |before| Expect::Version(before.version))
    }
}

pub(super) struct Changes<'a> {
    pub snapshot: &'a Snapshot,
    pub policy: &'a Policy,
    pub now: Ms,
    pub cluster: Cluster,
    pub heartbeat: Heartbeat,
    /// Tasks at rest whose workers the scheduler says it has never seen.
    pub never_seen: BTreeSet<TaskId>,
    launches: Vec<Entry<Launch>>,
    tasks: Vec<Entry<Task>>,
    /// What this decision adds to the ledger.
    ledger: BTreeMap<Month, Amount>,
    before_save: Vec<Action>,
    after_save: Vec<Action>,
    due_at: Option<Ms>,
}

impl<'a> Changes<'a> {
    pub fn new(snapshot: &'a Snapshot, now: Ms, policy: &'a Policy) -> Self {
        let mut changes = Changes {
            snapshot,
            policy,
            now,
            cluster: snapshot.cluster.value.clone(),
            heartbeat: snapshot.heartbeat.value.clone(),
            never_seen: BTreeSet::new(),
            launches: snapshot.launches.iter().map(Entry::known).collect(),
            tasks: snapshot.tasks.iter().map(Entry::known).collect(),
            ledger: BTreeMap::new(),
            before_save: Vec::new(),
            after_save: Vec::new(),
            due_at: None,
        };
        changes.clamp();
        changes
    }

    /// Whatever was stored by a clock that was ahead is brought back before anything is decided by it.
    fn clamp(&mut self) {
        let (now, policy) = (self.now, self.policy);
        self.cluster.clamp(now, policy);
        self.heartbeat.clamp(now);
        let mut left = MOST_CHANGES / 2;
        let mut more = false;
        for launch in &mut self.launches {
            more |= !launch.amend(&mut left, |launch| launch.clamp(now, policy));
        }
        for task in &mut self.tasks {
            more |= !task.amend(&mut left, |task| task.clamp(now, policy));
        }
        if more {
            self.due(now + policy.check_ms);
        }
    }

    /// Something is to be done: look again at `at`.
    pub fn due(&mut self, at: Ms) {
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }

    /// Something is waited for: look again at `at`. Without its safety rule the wait is forgotten.
    pub fn schedule_recheck(&mut self, at: Ms) {
        if safety_rule!(self.policy, waits_are_due) {
            self.due(at);
        }
    }

    /// How many more tasks and launches this transaction may change.
    pub fn changes_left(&self) -> usize {
        let tasks = self.tasks.iter().filter(|t| t.changed()).count();
        MOST_CHANGES.saturating_sub(tasks + self.launches.iter().filter(|l| l.changed()).count())
    }

    pub fn before_save(&mut self, action: Action) {
        self.before_save.push(action);
    }

    pub fn after_save(&mut self, action: Action) {
        self.after_save.push(action);
    }

    pub fn launches(&self) -> impl Iterator<Item = &Launch> + Clone {
        self.launches.iter().map(|l| &l.now)
    }

    pub fn launches_mut(&mut self) -> impl Iterator<Item = &mut Launch> {
        self.launches.iter_mut().map(|l| &mut l.now)
    }

    pub fn launch(&self, id: &LaunchId) -> Option<&Launch> {
        self.launches().find(|l| l.id == *id)
    }

    pub fn launch_mut(&mut self, id: &LaunchId) -> Option<&mut Launch> {
        self.launches_mut().find(|l| l.id == *id)
    }

    pub fn add_launch(&mut self, launch: Launch) {
        self.launches.push(Entry { before: None, now: launch });
    }

    pub fn tasks(&self) -> impl Iterator<Item = &Task> + Clone {
        self.tasks.iter().map(|t| &t.now)
    }

    pub fn tasks_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.tasks.iter_mut().map(|t| &mut t.now)
    }

    /// Tasks of a role, whatever has become of them.
    pub fn tasks_of(&self, role: TaskRole) -> impl Iterator<Item = &Task> + Clone {
        self.tasks().filter(move |t| t.facts.role == role)
    }

    /// Tasks of a role that may run.
    pub fn may_run(&self, role: TaskRole) -> impl Iterator<Item = &Task> + Clone {
        self.tasks_of(role).filter(|t| t.may_run())
    }

    pub fn task_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        self.tasks_mut().find(|t| t.facts.id == *id)
    }

    /// How many tasks of a launch are known.
    pub fn known_tasks(&self, id: &LaunchId) -> u32 {
        self.tasks().filter(|t| t.facts.launch == *id).count() as u32
    }

    /// Takes what the launcher says of a task in. True when it is new.
    pub fn apply_facts(&mut self, facts: &TaskFacts) -> bool {
        let now = self.now;
        if let Some(task) = self.task_mut(&facts.id) {
            task.apply_facts(facts, now);
            return false;
        }
        let mut task = Task::new(self.cluster.name.clone(), facts.clone());
        task.facts.believe(facts, now);
        self.tasks.push(Entry { before: None, now: task });
        true
    }

    /// Tells these tasks to stop, as many as the transaction has room for, each for the same reason.
    pub fn request_stops(&mut self, ids: Vec<TaskId>, reason: &Reason) {
        let (now, left) = (self.now, self.changes_left());
        if ids.len() > left {
            self.due(now);
        }
        for id in ids.iter().take(left) {
            self.request_stop(id, reason.clone());
        }
    }

    pub fn request_stop(&mut self, id: &TaskId, reason: Reason) {
        let now = self.now;
        if let Some(task) = self.task_mut(id) {
            task.request_stop(reason, now);
        }
    }

    /// Adds the difference between what each of these tasks used and what it was billed for to the ledger.
    pub fn bill(&mut self, task: &TaskId) {
        let Some(i) = self.tasks.iter().position(|t| t.now.facts.id == *task) else { return };
        for (month, used) in cost::unbilled(self, &self.tasks[i].now) {
            if self.ledger.len() == MONTHS && !self.ledger.contains_key(&month) {
                self.due(self.now);
                continue;
            }
            *self.ledger.entry(month).or_default() +=
                cost::bill_difference(&mut self.tasks[i].now, month, used, self.policy);
        }
    }

    /// What is to be reserved for the cluster now.
    pub fn reserved(&self) -> Counts {
        reservations::reserved(&self.cluster, self.launches(), self.tasks())
    }

    /// What this decision adds to the counters.
    pub fn reserved_delta(&self) -> Counts {
        self.reserved() - self.snapshot.cluster.value.reserved.counts
    }

    /// Does this decision reserve anything new? Only that is held against a ceiling: what is so already is counted in any case.
    fn reserves(&self) -> bool {
        self.launches.iter().any(|l| l.before.is_none() && !l.now.unit.is_zero())
    }

    /// The transaction and the actions.
    pub fn into_plan(mut self) -> Plan {
        self.cluster.due_at = self.due_at;
        let delta = self.reserved_delta();
        self.cluster.reserved.counts = self.reserved();
        self.cluster.meter = cost::meter(self.tasks());
        let bounded = safety_rule!(self.policy, charge_conditionally) && self.reserves();
        let mut writes = Vec::new();
        for task in self.tasks.iter().filter(|t| t.changed()) {
            writes.push(Write::Put { record: Record::Task(task.now.clone()), expect: task.expect() });
        }
        for launch in self.launches.iter().filter(|l| l.changed()) {
            writes.push(Write::Put { record: Record::Launch(launch.now.clone()), expect: launch.expect() });
        }
        if self.heartbeat != self.snapshot.heartbeat.value {
            let expect = Expect::Version(self.snapshot.heartbeat.version);
            writes.push(Write::Put { record: Record::Heartbeat(self.heartbeat), expect });
        }
        if !delta.is_zero() {
            for scope in &self.snapshot.cluster.value.reserved.keys {
                let ceiling = if bounded { self.snapshot.limits.ceiling(scope) } else { Counts::UNBOUNDED };
                writes.push(Write::Count { scope: scope.clone(), delta, ceiling, now: self.now, pace: None });
            }
        }
        for (month, amount) in self.ledger.into_iter().filter(|(_, amount)| !amount.is_zero()) {
            let (user, cluster) = (self.cluster.user.clone(), self.cluster.name.clone());
            writes.push(Write::Bill { month, user, cluster, amount });
        }
        // every change of anything is saved on the cluster's version too: two decisions never save what either did not see
        if !writes.is_empty() || self.cluster != self.snapshot.cluster.value {
            let expect = Expect::Version(self.snapshot.cluster.version);
            writes.push(Write::Put { record: Record::Cluster(Box::new(self.cluster)), expect });
        }
        Plan { before: self.before_save, writes, after: self.after_save, due_at: self.due_at }
    }
}
