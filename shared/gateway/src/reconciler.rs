//! The reconciler: loads a cluster's records, decides, saves, acts and learns, until nothing more is to be done now.

use super::{Context, ServiceError};
use faregate_core::command::Listen;
use faregate_core::limits::effective;
use faregate_core::model::{ClusterName, Heartbeat, LaunchId, Ms, Stored};
use faregate_core::ports::{Launcher, Routes, Schedulers, StoreError, TransactError, Wake, jitter};
use faregate_core::reconcile::{Action, Observation, Snapshot, reconcile};
use std::sync::Arc;

/// Rounds for one wake; what is left is done for the next.
const ROUNDS: u32 = 12;
/// Tries lost to others before one that has learned nothing gives way. One that has goes on trying: nobody else knows it.
const LOST_TRIES: u32 = 6;
/// A wake later than this is left to the enforcement run (SQS delays at most 900 s).
const LONGEST_DELAY_MS: Ms = 900_000;

/// A wake for which not everything could be done. Whoever sent the wake sends it again; the records are as whole as before.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that must precede a save, or a launch, failed.
    #[error("{0}")]
    Action(String),
    /// Others changed the records each time.
    #[error("the records of cluster `{0}` changed under every try to save")]
    Contended(ClusterName),
}

impl From<ServiceError> for ReconcileError {
    fn from(refusal: ServiceError) -> Self {
        ReconcileError::Action(refusal.to_string())
    }
}

/// Starts and stops tasks. Nobody else holds the launcher.
pub struct Reconciler {
    pub(crate) context: Arc<Context>,
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) schedulers: Arc<dyn Schedulers>,
    /// Where tasks reach the gateway: ends in `/api`.
    api_url: String,
    /// Where tasks listen.
    listen: Listen,
}

impl Reconciler {
    /// Over these records, with the ports through which tasks are started, published and asked.
    pub fn new(
        context: Arc<Context>,
        launcher: Arc<dyn Launcher>,
        routes: Arc<dyn Routes>,
        schedulers: Arc<dyn Schedulers>,
        api_url: String,
        listen: Listen,
    ) -> Self {
        Reconciler { context, launcher, routes, schedulers, api_url, listen }
    }

    /// Does what a wake asks for. May run for the same cluster several times at once, and be cut off anywhere.
    pub async fn reconcile(&self, wake: &Wake) -> Result<(), ReconcileError> {
        match wake {
            Wake::Cluster(name) => self.reconcile_cluster(name).await,
            Wake::OrphanScan { cursor } => self.scan_orphans(cursor.as_deref()).await,
        }
    }

    // longer than a function should be: the order of reading, deciding, saving and acting, and what a lost save means for each, is one thought
    async fn reconcile_cluster(&self, name: &ClusterName) -> Result<(), ReconcileError> {
        let (started, began) = (self.context.now(), self.context.host.uptime());
        let mut observations: Vec<Observation> = Vec::new();
        let (mut rounds, mut lost, mut launched, mut saved) = (0, 0, false, false);
        let mut due_at = None;
        // our calls are only trusted to land within this time
        while rounds < ROUNDS && self.context.host.uptime() - began <= self.context.policy().max_call_ms {
            if lost > 0 {
                if lost > LOST_TRIES && observations.is_empty() {
                    break;
                }
                jitter(&*self.context.host, 25 << lost.min(3)).await;
            }
            let Some(snapshot) = self.snapshot(name, !launched).await? else { return Ok(()) };
            if is_torn(&snapshot) {
                lost += 1;
                continue;
            }
            let now = self.context.now();
            let plan = reconcile(&snapshot, &observations, now, self.context.policy());
            tracing::debug!(
                cluster = %name, observations = observations.len(), writes = plan.writes.len(), before = plan.before.len(),
                after = plan.after.len(), due_in = plan.due_at.map(|at| at - now), "decided"
            );
            for action in &plan.before {
                self.act(&snapshot, action).await?;
            }
            if !plan.writes.is_empty() {
                match self.context.store.transact(plan.writes).await {
                    Ok(()) => {
                        saved = true;
                        self.context.host.announce(name);
                    }
                    Err(error @ (TransactError::Conflicts(_) | TransactError::Contention)) => {
                        tracing::debug!(cluster = %name, %error, "not saved");
                        lost += 1;
                        continue;
                    }
                    Err(TransactError::Failed(error)) => return Err(error.into()),
                }
            }
            (rounds, lost) = (rounds + 1, 0);
            observations.clear();
            due_at = plan.due_at;
            for action in &plan.after {
                if is_refused(action, &observations) {
                    continue;
                }
                launched |= matches!(action, Action::Launch(_));
                observations.extend(self.act(&snapshot, action).await?);
            }
            if observations.is_empty() {
                break;
            }
        }
        if lost > 0 && observations.is_empty() {
            return Err(ReconcileError::Contended(name.clone()));
        }
        // cut short with something learned: it is learned again for the next wake
        if !observations.is_empty() {
            due_at = Some(started);
            saved = true;
        }
        // who writes a due time sends the wake for it: were everybody to do so, each wake that comes twice would go on for ever
        if let Some(at) = due_at.filter(|_| saved) {
            let delay = (at - self.context.now()).max(0);
            if delay <= LONGEST_DELAY_MS {
                self.context.wake(name, delay).await;
            }
        }
        Ok(())
    }

    /// Everything a decision reads. None when there is no such cluster.
    async fn snapshot(&self, name: &ClusterName, may_launch: bool) -> Result<Option<Snapshot>, StoreError> {
        let store = &self.context.store;
        let Some(cluster) = store.cluster(name).await? else { return Ok(None) };
        let children = store.children(name).await?;
        let usage = store.usage(&cluster.value.reserved.keys).await?;
        let items = self.context.limit_items(self.context.policy().limits_cache_ms).await?;
        let limits = effective(&cluster.value.user, &cluster.value.groups, &items.in_force);
        let spent = match cluster.value.wants_to_run() {
            true => self.context.spent_out(&cluster.value.user, &limits).await?,
            false => None,
        };
        let heartbeat =
            children.heartbeat.unwrap_or_else(|| Stored { value: Heartbeat::new(name.clone()), version: 0 });
        Ok(Some(Snapshot {
            cluster,
            heartbeat,
            launches: children.launches,
            tasks: children.tasks,
            usage,
            limits,
            spent,
            api_url: self.api_url.clone(),
            listen: self.listen.clone(),
            steady_since: self.context.host.steady_since(),
            may_launch,
        }))
    }
}

/// The launch's credentials were refused: it is not called.
fn is_refused(action: &Action, observations: &[Observation]) -> bool {
    let Action::Launch(next) = action else { return false };
    observations
        .iter()
        .any(|observation| matches!(observation, Observation::Launched { launch, .. } if *launch == next.id))
}

/// The cluster was read before somebody else wrote a launch, the launches after it: a decision would write that launch again.
fn is_torn(snapshot: &Snapshot) -> bool {
    let cluster = &snapshot.cluster.value;
    let last = LaunchId::new(&cluster.name, cluster.launches);
    snapshot.launches.iter().any(|launch| launch.value.id > last)
}
