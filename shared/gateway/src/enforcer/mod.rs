//! The enforcement run: time itself as an event, over what is active. May run twice at once, be cut off, or be missed.
//!
//! It reads each active cluster's index row and heartbeat, and of users with a budget the ledger; it checks each; it writes what the
//! checks find to be changed; then it asks the schedulers of whom an answer can matter, until its time is over.

mod ask;
mod budgets;
mod carry_out;
mod limits_edited;
mod memory;
mod report;
mod warnings;

use memory::Memory;
pub use report::EnforcementReport;

use super::{Context, ServiceError};
use faregate_core::limits::{Effective, effective};
use faregate_core::model::{Cluster, ClusterName, Ms, Reason, Shrink, Status};
use faregate_core::ports::{LimitItems, Schedulers, StoreError};
use faregate_core::reconcile::enforce::{Silence, Verdict, check};
use futures::stream::{self, StreamExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Clusters read at once.
const PAGE: usize = 100;
/// Writes (and reads of ledgers) under way at once.
const AT_ONCE: usize = 16;

/// One active cluster, and what is made of it.
struct Checked {
    /// Its index row.
    cluster: Cluster,
    limits: Arc<Effective>,
    verdict: Verdict,
    /// It is to have so much less.
    shrink: Option<Shrink>,
    /// Spot has no capacity for it at the moment: its workers start on demand.
    on_demand: bool,
    /// What it is warned of about its budget.
    budget: budgets::Warned,
    /// What it is warned of about its files.
    disk: Option<Reason>,
}

impl Checked {
    /// Neither ending nor about to.
    fn stays(&self) -> bool {
        self.cluster.wants_to_run() && self.verdict.end.is_none()
    }
}

/// What time, limits and money make of clusters. It asks schedulers; it starts and stops no tasks.
pub struct Enforcer {
    pub(crate) context: Arc<Context>,
    pub(crate) schedulers: Arc<dyn Schedulers>,
    /// What clusters are warned of about their files.
    pub(crate) disk_warnings: Mutex<HashMap<ClusterName, Reason>>,
    /// What schedulers last answered.
    pub(crate) answers: Mutex<Memory>,
}

impl Enforcer {
    /// Over these records; schedulers are asked this way.
    pub fn new(context: Arc<Context>, schedulers: Arc<dyn Schedulers>) -> Self {
        Enforcer { context, schedulers, disk_warnings: Mutex::default(), answers: Mutex::default() }
    }

    /// One enforcement run. `since` is when our own service was back, so that our own absence is nobody's silence.
    pub async fn enforce(&self, since: Ms) -> Result<EnforcementReport, ServiceError> {
        let now = self.context.now();
        let since_set = self.context.host.steady_since();
        let since = since.max(since_set);
        let items = self.context.limit_items(0).await?;
        self.context.store.keep_limits(&items).await?;
        let mut checked = self.check_active(&items, since, now).await?;
        self.check_budgets(&mut checked, now).await?;
        self.check_edited_limits(&mut checked, now).await?;
        let silence = Silence {
            active: checked.iter().filter(|c| c.cluster.status == Status::Running).count(),
            silent: checked.iter().filter(|c| c.verdict.silent_ms.is_some()).count(),
        };
        let mut report = EnforcementReport {
            active: checked.len(),
            silent: silence.silent,
            broken_limits: items.broken.len(),
            ..EnforcementReport::default()
        };
        checked.iter().for_each(|checked| report.count(&checked.cluster, now));
        report.add(self.carry_out(&checked).await?);
        report.add(self.ask_schedulers(&checked, silence, now).await?);
        if now >= since_set + self.context.policy().forget_after_ms() {
            report.forgotten = self.context.store.forget_expired(now).await?;
        }
        if report.unasked > 0 {
            let (unasked, delay_ms) = (report.unasked, report.idle_delay_ms);
            tracing::warn!(
                unasked,
                delay_ms,
                "enforcement run out of time for some questions: the next begins with them"
            );
        }
        Ok(report)
    }

    /// Reads index and heartbeats, and checks each cluster by itself.
    async fn check_active(&self, items: &LimitItems, since: Ms, now: Ms) -> Result<Vec<Checked>, StoreError> {
        let store = &self.context.store;
        let mut resolved: HashMap<(String, Vec<String>), Arc<Effective>> = HashMap::new();
        let mut checked = Vec::new();
        let mut cursor = None;
        loop {
            let page = store.active(cursor.as_deref(), PAGE).await?;
            let names: Vec<ClusterName> = page.items.iter().map(|row| row.cluster.name.clone()).collect();
            let heartbeats = store.heartbeats(&names).await?;
            for (row, heartbeat) in page.items.into_iter().zip(heartbeats) {
                let cluster = row.cluster;
                let limits = resolved
                    .entry((cluster.user.clone(), cluster.groups.clone()))
                    .or_insert_with_key(|(user, groups)| Arc::new(effective(user, groups, &items.in_force)))
                    .clone();
                let heartbeat = heartbeat.map(|h| h.value);
                let verdict = check(&cluster, heartbeat.as_ref(), &limits, since, now, self.context.policy());
                let on_demand = cluster.config.fargate_spot && cluster.spot_after.is_some_and(|at| now < at);
                let disk = self.disk_warning(&cluster.name);
                let budget = budgets::Warned::Nothing;
                checked.push(Checked { cluster, limits, verdict, shrink: None, on_demand, budget, disk });
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(checked);
            }
        }
    }
}

/// Does many things, some at once, and adds up what they report.
async fn all<F>(things: Vec<F>, at_once: usize) -> Result<EnforcementReport, ServiceError>
where
    F: Future<Output = Result<EnforcementReport, ServiceError>>,
{
    let mut report = EnforcementReport::default();
    let mut done = stream::iter(things).buffer_unordered(at_once);
    while let Some(one) = done.next().await {
        report.add(one?);
    }
    Ok(report)
}
