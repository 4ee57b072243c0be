//! Who was charged and billed what, judged write by write: a counter moves by what its cluster's record says and under no limit that was
//! in force; the ledger moves by what the records of tasks say.

use super::fleet::SimTask;
use super::setup::S;
use super::state::{State, short};
use faregate_core::limits::{Effective, effective};
use faregate_core::model::{
    Amount, ClusterName, Counts, Limits, Month, Ms, ReasonCode, Record, Scope, TaskFacts, TaskId, TaskRole,
};
use faregate_core::ports::Write;
use std::collections::BTreeMap;

/// What the records said last of a task, also when they have forgotten it.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Whose it is.
    pub cluster: ClusterName,
    /// What was known of it.
    pub facts: TaskFacts,
    /// What the ledger has of it.
    pub billed: BTreeMap<Month, Amount>,
    /// It is settled.
    pub settled: bool,
}

/// What was in force when, and what is known of every task.
#[derive(Default)]
pub struct Accounts {
    /// The limits in force, since when.
    history: Vec<(Ms, BTreeMap<Scope, Limits>)>,
    /// What was counted, since when.
    counted: BTreeMap<Scope, Vec<(Ms, Counts)>>,
    /// Tasks that have ever been on record.
    pub tasks: BTreeMap<TaskId, Noted>,
    /// Clusters whose user has spent more than budget and margin, since when.
    pub over_budget: BTreeMap<ClusterName, Ms>,
    /// Clusters of which something is to be said to those who use them, since when.
    pub untold: BTreeMap<(ClusterName, ReasonCode), Ms>,
}

impl Accounts {
    /// These limits are in force from now on.
    pub fn note_limits(&mut self, now: Ms, in_force: &BTreeMap<Scope, Limits>) {
        if self.history.last().is_none_or(|(_, limits)| limits != in_force) {
            self.history.push((now, in_force.clone()));
        }
    }

    /// What applied to a user at any time since `from`.
    pub fn limits_since(&self, from: Ms, user: &str, groups: &[String]) -> Vec<Effective> {
        let first = self.history.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        self.history[first..].iter().map(|(_, limits)| effective(user, groups, limits)).collect()
    }

    /// A counter stands at so much from now on.
    fn note_counted(&mut self, now: Ms, scope: &Scope, counts: Counts) {
        self.counted.entry(scope.clone()).or_default().push((now, counts));
    }

    /// The most of each that was counted at any time since `from`.
    pub fn most_counted_since(&self, from: Ms, scope: &Scope) -> Counts {
        let counted = self.counted.get(scope).map_or(&[][..], Vec::as_slice);
        let first = counted.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        counted[first..].iter().fold(Counts::default(), |most, (_, counts)| larger(most, *counts))
    }

    /// When the limits last changed.
    pub fn edited_at(&self) -> Ms {
        self.history.last().map_or(0, |(at, _)| *at)
    }
}

/// A transaction, as far as it is about charges and bills.
pub struct Booking {
    counts: Vec<(Scope, Counts)>,
    bills: BTreeMap<(Month, ClusterName), Amount>,
    tasks: Vec<(TaskId, Noted)>,
    charge: Option<Charge>,
}

struct Charge {
    name: ClusterName,
    user: String,
    groups: Vec<String>,
    keys: Vec<Scope>,
    was: (Vec<Scope>, Counts),
    is: Counts,
}

/// The larger of each.
pub fn larger(a: Counts, b: Counts) -> Counts {
    Counts {
        clusters: a.clusters.max(b.clusters),
        workers: a.workers.max(b.workers),
        millicores: a.millicores.max(b.millicores),
        memory_bytes: a.memory_bytes.max(b.memory_bytes),
    }
}

fn fields(counts: &Counts) -> [(&'static str, i64); 4] {
    [
        ("clusters", counts.clusters),
        ("workers", counts.workers),
        ("cores", counts.millicores),
        ("memory", counts.memory_bytes),
    ]
}

impl State {
    /// What a transaction is about to do.
    pub fn book(&self, writes: &[Write]) -> Booking {
        let mut booking = Booking { counts: Vec::new(), bills: BTreeMap::new(), tasks: Vec::new(), charge: None };
        for write in writes {
            match write {
                Write::Count { scope, delta, .. } => booking.counts.push((scope.clone(), *delta)),
                Write::Bill { month, cluster, amount, .. } => {
                    *booking.bills.entry((*month, cluster.clone())).or_default() += *amount;
                }
                Write::Put { record: Record::Task(task), .. } => {
                    let noted = Noted {
                        cluster: task.cluster.clone(),
                        facts: task.facts.clone(),
                        billed: task.billed.clone(),
                        settled: task.settled,
                    };
                    booking.tasks.push((task.facts.id.clone(), noted));
                }
                Write::Put { record: Record::Cluster(c), .. } => {
                    let held = self.records.clusters.get(&c.name).map(|held| held.value.reserved.clone());
                    booking.charge = Some(Charge {
                        name: c.name.clone(),
                        user: c.user.clone(),
                        groups: c.groups.clone(),
                        keys: c.reserved.keys.clone(),
                        was: held.map_or((c.reserved.keys.clone(), Counts::default()), |h| (h.keys, h.counts)),
                        is: c.reserved.counts,
                    });
                }
                Write::Put { .. } => {}
            }
        }
        booking
    }

    /// It has happened: was it in order?
    pub fn check_booking(&mut self, booking: Booking) {
        self.check_bills(&booking);
        for (id, noted) in booking.tasks {
            self.accounts.tasks.insert(id, noted);
        }
        let Some(charge) = booking.charge else {
            if !booking.counts.is_empty() {
                self.breach("counted for no cluster", format!("{:?}", booking.counts));
            }
            return;
        };
        let delta = charge.is - charge.was.1;
        let mut expected: Vec<(Scope, Counts)> = charge.keys.iter().map(|key| (key.clone(), delta)).collect();
        expected.retain(|(_, delta)| !delta.is_zero());
        if expected != booking.counts || charge.keys != charge.was.0 {
            let how = format!("{}: charged {expected:?}, counted {:?}", short(&charge.name), booking.counts);
            self.breach("charged is not what is counted", how);
        }
        for (scope, delta) in booking.counts {
            let counts = self.records.usage.get(&scope).map(|usage| usage.value.counts).unwrap_or_default();
            self.accounts.note_counted(self.now, &scope, counts);
            self.check_ceiling(&charge, &scope, delta);
            if fields(&delta).iter().any(|(_, n)| *n < 0) {
                self.check_covered(&scope);
            }
        }
    }

    /// Whoever writes knows the limits as they were when it began, or cached them some time before; and may write late.
    pub fn staleness(&self) -> Ms {
        self.setup.policy.limits_cache_ms + 2 * self.setup.policy.max_call_ms
    }

    /// What is raised stays under a ceiling that was in force when its writer looked.
    fn check_ceiling(&mut self, charge: &Charge, scope: &Scope, delta: Counts) {
        let known = self.accounts.limits_since(self.now - self.staleness(), &charge.user, &charge.groups);
        let ceilings: Vec<Counts> = known.iter().map(|limits| limits.ceiling(scope)).collect();
        let held = self.records.usage.get(scope).map(|usage| usage.value.counts).unwrap_or_default();
        for (n, (field, held)) in fields(&held).into_iter().enumerate() {
            let ceiling = ceilings.iter().map(|ceiling| fields(ceiling)[n].1).max();
            if fields(&delta)[n].1 > 0 && ceiling.is_some_and(|ceiling| held > ceiling) {
                let how = format!("{scope} {field}: {held} of {ceiling:?}, by {}", short(&charge.name));
                self.breach("charged over a limit", how);
            }
        }
    }

    /// What lives is counted.
    pub fn check_covered(&mut self, scope: &Scope) {
        let live = self.live_under(scope);
        let counted = self.records.usage.get(scope).map(|usage| usage.value.counts).unwrap_or_default();
        if fields(&counted).into_iter().zip(fields(&live)).any(|((_, counted), (_, live))| live > counted) {
            self.breach("what runs is not counted", format!("{scope}: {counted:?}, in truth {live:?}"));
        }
    }

    /// The workers that live of all clusters charged to a scope.
    pub fn live_under(&self, scope: &Scope) -> Counts {
        let is_of = |task: &&SimTask| {
            self.ground_truths.get(&task.cluster).is_some_and(|ground_truth| match scope {
                Scope::User(user) => ground_truth.user == *user,
                Scope::Group(group) => ground_truth.groups.contains(group),
                Scope::Default => false,
            })
        };
        let live = self.fleet.live(TaskRole::Worker).filter(is_of).count() as i64;
        self.setup.base.worker_unit() * live
    }

    /// The ledger moves by what the tasks of the same transaction say that it has of them.
    fn check_bills(&mut self, booking: &Booking) {
        let mut due: BTreeMap<(Month, ClusterName), Amount> = BTreeMap::new();
        for (id, task) in &booking.tasks {
            let was = self.accounts.tasks.get(id).map(|noted| noted.billed.clone()).unwrap_or_default();
            for (month, amount) in &task.billed {
                *due.entry((*month, task.cluster.clone())).or_default() += *amount;
            }
            for (month, amount) in was {
                *due.entry((month, task.cluster.clone())).or_default() += -amount;
            }
            if !task.billed.is_empty() && task.facts.state != faregate_core::model::TaskState::Stopped {
                self.breach("billed while it runs", id.to_string());
            }
        }
        due.retain(|_, amount| !amount.is_zero());
        if due != booking.bills {
            self.breach("billed is not what the tasks say", format!("{:?}, by the tasks {due:?}", booking.bills));
        }
    }
}

/// A stop, and that it is noticed, takes no longer than this once nothing goes wrong.
pub const STOP_MS: Ms = 180 * S;
