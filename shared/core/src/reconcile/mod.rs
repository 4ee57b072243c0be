//! The decision: from a cluster's records, and what our last calls told us, to what is written and done next.
//!
//! Pure: no I/O, no clock, no randomness. The shell loads a [`Snapshot`], calls [`reconcile`], performs [`Plan::before`], saves
//! [`Plan::writes`] as one transaction, performs [`Plan::after`], and comes back with what it learned as [`Observation`]s.
//!
//! [`reconcile`] is the table of contents: its phases, each in a file that says what it reads and writes. `launch.rs` and `task.rs` hold
//! the two state machines.

mod calls;
mod changes;
mod cost;
mod deferral;
pub mod enforce;
mod heartbeat;
mod launch;
mod observations;
mod placement;
mod scale;
mod scheduler;
mod settle;
mod shrink;
mod shut_down;
mod spec;
mod start_failures;
#[cfg(test)]
mod stories;
mod task;
mod workers;

pub use cost::{bill, metered};
pub use spec::{scheduler_spec, worker_spec};

use crate::command::Listen;
use crate::limits::Effective;
use crate::model::{
    Activity, Cluster, Heartbeat, Launch, LaunchId, Ms, Policy, Reason, Stored, Task, TaskFacts, TaskId, Usage,
};
use crate::ports::{LaunchError, Launched, Route, Write};
use changes::Changes;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Everything a decision reads.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The cluster.
    pub cluster: Stored<Cluster>,
    /// Its heartbeat.
    pub heartbeat: Stored<Heartbeat>,
    /// Its launches.
    pub launches: Vec<Stored<Launch>>,
    /// Its tasks.
    pub tasks: Vec<Stored<Task>>,
    /// The counters under which it is reserved for, in the order of `cluster.reserved.keys`.
    pub usage: Vec<Stored<Usage>>,
    /// What applies to its user.
    pub limits: Effective,
    /// Why nothing new may start for them: their budget is spent.
    pub spent: Option<Reason>,
    /// Where its tasks reach the gateway: ends in `/api`.
    pub api_url: String,
    /// Where tasks listen.
    pub listen: Listen,
    /// Since when nobody has set the clock, and our own service is there: time before that proves nothing against others.
    pub steady_since: Ms,
    /// May a launch be called now? Once for each wake: clusters take turns at the launcher.
    pub may_launch: bool,
}

/// What a call of ours told us. `at` is the time just before the call was made.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A launch call returned.
    Launched {
        /// Which.
        launch: LaunchId,
        /// How.
        result: Result<Launched, LaunchError>,
    },
    /// A task was described, or is not known.
    Described {
        /// Which.
        task: TaskId,
        /// When we asked.
        at: Ms,
        /// What it is.
        facts: Option<TaskFacts>,
    },
    /// The launcher was asked what a running task does.
    Activity {
        /// What it does, where the launcher can tell.
        activity: Option<Activity>,
    },
    /// A launch's tasks were listed.
    Listed {
        /// Which.
        launch: LaunchId,
        /// When we asked.
        at: Ms,
        /// Its tasks.
        tasks: Vec<TaskFacts>,
    },
    /// The scheduler said which of these tasks' workers it has ever seen.
    Seen {
        /// Those it was asked about, at rest by then.
        asked: Vec<TaskId>,
        /// Names of workers.
        seen: BTreeSet<String>,
    },
}

/// What to do. Every action may be repeated.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Put the credentials where tasks find them; this launch, which follows, needs them.
    Prepare(LaunchId),
    /// Call this launch.
    Launch(Box<Launch>),
    /// Ask a task to stop.
    Stop(TaskId),
    /// Describe tasks.
    Describe(Vec<TaskId>),
    /// Ask what a running task's process does.
    Observe(TaskId),
    /// List a launch's tasks.
    List(LaunchId),
    /// Ask the scheduler, at its dashboard's address, which of these tasks' workers it has ever seen.
    AskSeen(SocketAddr, Vec<TaskId>),
    /// Tell the proxy where the cluster is.
    Publish(Route),
    /// Tell the proxy that it is gone.
    Unpublish,
    /// Remove the credentials.
    Discard,
}

/// What follows from a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Done before the save; if one fails, nothing is saved.
    pub before: Vec<Action>,
    /// One transaction; empty when nothing changes.
    pub writes: Vec<Write>,
    /// Done after the save.
    pub after: Vec<Action>,
    /// When somebody must look again.
    pub due_at: Option<Ms>,
}

/// Decides. The order of the phases matters: each works on what the ones before it made of the records.
pub fn reconcile(snapshot: &Snapshot, observations: &[Observation], now: Ms, policy: &Policy) -> Plan {
    let mut changes = Changes::new(snapshot, now, policy);
    observations::apply(&mut changes, observations);
    settle::settle_launches(&mut changes);
    settle::settle_tasks(&mut changes);
    heartbeat::apply(&mut changes);
    scheduler::reroute(&mut changes);
    if changes.changes_left() == 0 {
        changes.due(now);
        return changes.into_plan();
    }
    scheduler::check(&mut changes);
    let mut to_ask = Vec::new();
    if changes.cluster.wants_to_run() {
        to_ask = workers::check(&mut changes);
        start_failures::tell(&mut changes);
        shrink::apply(&mut changes);
    }
    if changes.cluster.wants_to_run() {
        scale::to_wanted(&mut changes);
    } else {
        shut_down::shut_down(&mut changes);
    }
    calls::plan(&mut changes, to_ask);
    changes.into_plan()
}
