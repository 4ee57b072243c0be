//! The invocations of our shells: who calls which of the gateway's functions, with what, and what they do with the answer.

use super::World;
use super::executor::{Shell, lock};
use super::scheduler::Schedule;
use super::setup::S;
use super::state::{Event, State};
use faregate_core::model::{Cluster, ClusterName, Content, Identity, Ms, Scope, Status, TaskFacts};
use faregate_core::ports::{Wake, Wakes};
use faregate_gateway::admin::{Act, LimitsChange};
use faregate_gateway::{Caller, Gateway, ServiceError, Services};
use serde_json::{Map, Value};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Something for a shell to do.
pub enum Work {
    /// The reconciler is woken.
    Reconcile {
        /// The message.
        message: usize,
        /// What it says.
        wake: Wake,
    },
    /// The minute's pass, on one host.
    Enforce,
    /// A host notices that its clock was set by so much.
    ClockSet(Ms),
    /// A sweep is asked for.
    OrphanScan,
    /// Counters are recounted.
    Recount(Scope),
    /// A task has changed.
    Happened {
        /// How it is now.
        facts: Box<TaskFacts>,
        /// How often this was tried.
        tries: u32,
    },
    /// A scheduler calls.
    Heartbeat {
        /// Its task.
        scheduler: usize,
        /// Which of its heartbeats.
        number: u64,
        /// Its cluster.
        name: ClusterName,
        /// What it says.
        content: Box<Content>,
        /// The tasks it is about to retire.
        closing: Vec<usize>,
    },
    /// A user creates a cluster.
    Create(Identity),
    /// A user scales one of theirs.
    Scale(Identity, u32),
    /// A user lets one of theirs adapt.
    Adapt(Identity, Option<u32>, Option<u32>),
    /// A user stops one of theirs.
    Stop(Identity),
    /// A user lets one of theirs live on for so many seconds.
    Extend(Identity, i64),
    /// A user stops all of theirs.
    StopAll(Identity),
    /// An admin stops one of a user's.
    AdminStop(Identity),
    /// An admin freezes somebody.
    Freeze(Scope),
    /// And no longer.
    Unfreeze(Scope),
    /// An admin sets limits.
    SetLimits(Scope, Map<String, Value>),
    /// A scheduler asks for its cluster's end.
    Exit(ClusterName),
}

impl World {
    /// The shell that does some work.
    pub(super) fn shell(self: &Arc<Self>, services: &Services, work: Work) -> Shell {
        let (world, services) = (self.clone(), services.clone());
        Box::pin(async move { world.perform(&services, work).await })
    }

    // long, as there is one arm for each kind of work, and nothing else
    async fn perform(&self, services: &Services, work: Work) {
        let Services { gateway, task_events, enforcer, reconciler } = services;
        match work {
            Work::Reconcile { message, wake } => match reconciler.reconcile(&wake).await {
                Ok(()) => lock(&self.state).finish(message),
                Err(error) => lock(&self.state).say(|| format!("  a reconciliation failed: {error}")),
            },
            Work::Enforce => {
                let since = lock(&self.state).since();
                let result = enforcer.enforce(since).await;
                lock(&self.state).say(|| format!("enforcement run: {result:?}"));
            }
            Work::ClockSet(by) => {
                let result = enforcer.clock_was_set(by).await;
                lock(&self.state).say(|| format!("the clock was set by {} s: {result:?}", by / S));
            }
            Work::OrphanScan => drop(self.wake(Wake::OrphanScan { cursor: None }, 0).await),
            Work::Recount(scope) => {
                let repaired = match &scope {
                    Scope::Group(group) => enforcer.recount_group(group).await,
                    Scope::User(user) => enforcer.recount(user).await,
                    Scope::Default => Ok(false),
                };
                lock(&self.state).say(|| format!("recount of {scope}: {repaired:?}"));
            }
            Work::Happened { facts, tries } => {
                // the event comes again unless it was taken in
                let again = Event::Start(Work::Happened { facts: facts.clone(), tries: tries + 1 });
                let ticket = lock(&self.state).redeliver(tries, again);
                if task_events.apply(&facts).await.is_ok() {
                    lock(&self.state).taken.insert(ticket);
                }
            }
            Work::Heartbeat { scheduler, number, name, content, closing } => {
                let digest = digest(&content);
                let result = gateway.heartbeats.apply(&name, *content, digest).await;
                let mut state = lock(&self.state);
                state.say(|| format!("  heartbeat {scheduler}/{number}: {result:?}"));
                state.after(10, Event::Dask(scheduler, Schedule::Answered(number, result.is_ok(), closing)));
            }
            Work::Create(who) => self.create(gateway, &who).await,
            Work::Scale(who, count) => {
                if let Some(name) = self.choose(gateway, &who, Status::Running).await {
                    let result = gateway.clusters.scale(&who, &name, count).await;
                    lock(&self.state).say(|| format!("{} scales {name} to {count}: {result:?}", who.name));
                }
            }
            Work::Adapt(who, minimum, maximum) => {
                if let Some(name) = self.choose(gateway, &who, Status::Running).await {
                    let result = gateway.clusters.adapt(&who, &name, minimum, maximum, true).await;
                    lock(&self.state).say(|| format!("{} adapts {name}: {result:?}", who.name));
                }
            }
            Work::Stop(who) => {
                let status = if lock(&self.state).dice.percent(80) { Status::Running } else { Status::Pending };
                if let Some(name) = self.choose(gateway, &who, status).await {
                    self.note_stop(&name);
                    let result = gateway.clusters.stop(&Caller::User(who.clone()), &name).await;
                    lock(&self.state).say(|| format!("{} stops {name}: {result:?}", who.name));
                }
            }
            Work::StopAll(who) => {
                let own = self.list(gateway, &who, &[Status::Pending, Status::Running]).await.unwrap_or_default();
                for cluster in own {
                    self.note_stop(&cluster.name);
                    let result = gateway.clusters.stop(&Caller::User(who.clone()), &cluster.name).await;
                    lock(&self.state).say(|| format!("{} stops {} and all: {result:?}", who.name, cluster.name));
                }
            }
            Work::AdminStop(who) => {
                if let Some(name) = self.choose(gateway, &who, Status::Running).await {
                    self.note_stop(&name);
                    let result = gateway.admin().stop(&by_admin(), &name).await;
                    lock(&self.state).say(|| format!("an admin stops {name}: {result:?}"));
                }
            }
            Work::Freeze(scope) => {
                let result = gateway.admin().freeze(&by_admin(), &scope).await;
                lock(&self.state).say(|| format!("an admin freezes {scope}: {result:?}"));
            }
            Work::Unfreeze(scope) => {
                let result = gateway.admin().unfreeze(&by_admin(), &scope).await;
                lock(&self.state).say(|| format!("an admin unfreezes {scope}: {result:?}"));
            }
            Work::SetLimits(scope, set) => {
                let change = LimitsChange { set, unset: Vec::new() };
                let result = gateway.admin().change_limits(&by_admin(), &scope, &change).await;
                lock(&self.state).say(|| format!("an admin sets limits of {scope}: {result:?}"));
            }
            Work::Extend(who, seconds) => {
                if let Some(name) = self.choose(gateway, &who, Status::Running).await {
                    let result = gateway.clusters.extend(&who, &name, seconds * S).await;
                    lock(&self.state).say(|| format!("{} extends {name} by {seconds} s: {result:?}", who.name));
                }
            }
            Work::Exit(name) => {
                let result = gateway.clusters.stop(&Caller::Cluster(name.clone()), &name).await;
                lock(&self.state).say(|| format!("{name} asks for its end: {result:?}"));
            }
        }
    }

    async fn create(&self, gateway: &Gateway, who: &Identity) {
        let result = gateway.clusters.create(who, Map::new()).await;
        lock(&self.state).say(|| format!("{} creates: {result:?}", who.name));
        match result {
            Ok(_) | Err(ServiceError::Invalid(_)) => {}
            Err(ServiceError::Conflict(_) | ServiceError::Unavailable(_)) => {
                let mut state = lock(&self.state);
                state.after(20 * S, Event::Start(Work::Create(who.clone())));
            }
            Err(refusal) => lock(&self.state).breach("a refusal that makes no sense", refusal.to_string()),
        }
    }

    fn note_stop(&self, name: &ClusterName) {
        let mut state = lock(&self.state);
        let now = state.now;
        let ground_truth = state.ground_truth(name);
        (ground_truth.stop_asked, ground_truth.touched_at) = (true, now);
    }

    async fn list(&self, gateway: &Gateway, who: &Identity, statuses: &[Status]) -> Option<Vec<Arc<Cluster>>> {
        let at = lock(&self.state).now;
        let own = gateway.clusters.list(who, statuses).await.ok()?;
        let mut state = lock(&self.state);
        own.iter().for_each(|cluster| state.note_asked(&cluster.name, at));
        Some(own)
    }

    /// One of a user's clusters in some state.
    async fn choose(&self, gateway: &Gateway, who: &Identity, status: Status) -> Option<ClusterName> {
        let own = self.list(gateway, who, &[status]).await?;
        let n = lock(&self.state).dice.below(own.len() as i64) as usize;
        own.get(n).map(|cluster| cluster.name.clone())
    }
}

impl State {
    fn redeliver(&mut self, tries: u32, again: Event) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        if tries < 10 {
            let delay = self.dice.between(60 * S, 90 * S);
            self.after(delay, Event::Unless(ticket, Box::new(again)));
        }
        ticket
    }
}

/// An admin, who always has the same reason.
fn by_admin() -> Act {
    Act::new("root", Some("the budget is for others")).unwrap_or_else(|e| panic!("{e}"))
}

/// Equal for equal contents.
fn digest(content: &Content) -> String {
    let mut hasher = DefaultHasher::new();
    (content.scheduler, content.dashboard, content.api, content.count).hash(&mut hasher);
    (&content.active, &content.closing, &content.closed).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
