//! What the checks find to change in the records. Nothing is written where nothing changes.

use super::{AT_ONCE, Checked, EnforcementReport, all, warnings};
use crate::{Enforcer, ServiceError};
use faregate_core::model::{Cluster, ClusterName, Policy, Reason, ReasonCode, Record, Shrink, Status};
use faregate_core::ports::{Expect, StoreError, TransactError, Write};
use faregate_core::reconcile::enforce::{deadline, heard};

impl Enforcer {
    pub(super) async fn carry_out(&self, checked: &[Checked]) -> Result<EnforcementReport, ServiceError> {
        let concerned = checked.iter().filter(|c| is_concerned(c, self.context.policy()));
        all(concerned.map(|c| self.carry_out_one(c)).collect(), AT_ONCE).await
    }

    async fn carry_out_one(&self, checked: &Checked) -> Result<EnforcementReport, ServiceError> {
        let Checked { cluster, verdict, shrink, .. } = checked;
        let mut report = EnforcementReport::default();
        if let Some((target, reason)) = &verdict.end {
            if reason.code == ReasonCode::MaxLifetime && self.was_extended(checked).await? {
                return Ok(report);
            }
            report.ended += usize::from(self.end(checked, *target, reason.clone()).await?);
            return Ok(report);
        }
        if verdict.wake {
            self.context.wake(&cluster.name, 0).await;
            report.woken += 1;
        }
        if heard(cluster, verdict) {
            self.doubt(&cluster.name, 0).await?;
        }
        if *shrink != cluster.shrink {
            let now = self.context.now();
            let changed = self.change_record(&cluster.name, true, |cluster| {
                // an index may lag: what is within the limit by now is left alone
                let shrink = shrink.clone().filter(|shrink| !is_within(cluster, shrink));
                if cluster.shrink != shrink {
                    cluster.shrink = shrink;
                    cluster.due_at = Some(now);
                }
            });
            if changed.await?
                && let Some(shrink) = shrink
            {
                tracing::info!(cluster = %cluster.name, keep = shrink.keep, reason = shrink.reason.message, "limit lowered: a cluster shrinks");
            }
        }
        let told =
            if has_no_dashboard(cluster) { warnings::untold(checked, self.context.policy()) } else { Vec::new() };
        if !told.is_empty() || warnings::any_stale(checked, self.context.policy()) {
            let standing = warnings::standing(checked, self.context.policy());
            let changed = self.change_record(&cluster.name, false, |cluster| {
                warnings::retain(cluster, &standing);
                told.iter().for_each(|warning| warnings::told(cluster, warning));
            });
            changed.await?;
        }
        report.over_limits += usize::from(shrink.is_some());
        Ok(report)
    }

    /// Turns a cluster towards its end; one that was to end as nobody asked for it only if that is still so, whatever the index said.
    pub(super) async fn end(&self, checked: &Checked, target: Status, reason: Reason) -> Result<bool, ServiceError> {
        let Checked { cluster, .. } = checked;
        if reason.code != ReasonCode::Unclaimed {
            self.context.end(&cluster.name, None, target, reason).await?;
            return Ok(true);
        }
        let (now, why) = (self.context.now(), reason.message.clone());
        let changed = self.change_record(&cluster.name, true, |stored| {
            if stored.asked_at == cluster.asked_at && !stored.claimed {
                stored.end(target, reason, now);
            }
        });
        let changed = changed.await?;
        if changed {
            tracing::info!(cluster = %cluster.name, reason = why, "cluster stopping");
        }
        Ok(changed)
    }

    /// The index may lag behind an extension that its owner was granted.
    async fn was_extended(&self, checked: &Checked) -> Result<bool, StoreError> {
        let Some(stored) = self.context.store.cluster(&checked.cluster.name).await? else { return Ok(false) };
        let deadline = deadline(&stored.value, &checked.limits, self.context.policy());
        Ok(deadline.is_none_or(|deadline| deadline.at > self.context.now()))
    }

    /// Notes how many health questions are unanswered; above none, has the reconciler ask the launcher too.
    pub(super) async fn doubt(&self, name: &ClusterName, unanswered: u32) -> Result<(), StoreError> {
        let now = self.context.now();
        let changed = self.change_record(name, true, |cluster| {
            if cluster.unanswered != unanswered {
                cluster.unanswered = unanswered;
                cluster.answered_at = (unanswered == 0).then_some(now).or(cluster.answered_at);
                cluster.suspect = unanswered > 0;
                cluster.due_at = Some(now);
            }
        });
        changed.await.map(drop)
    }

    /// Changes the record of a cluster that is to run, and wakes it if so wished. False when nothing was changed: there was nothing to
    /// change, or others wrote at the same time, and the next run looks again.
    pub(super) async fn change_record(
        &self,
        name: &ClusterName,
        wake: bool,
        change: impl FnOnce(&mut Cluster) + Send,
    ) -> Result<bool, StoreError> {
        let Some(stored) = self.context.store.cluster(name).await? else { return Ok(false) };
        let mut cluster = stored.value.clone();
        change(&mut cluster);
        if !stored.value.wants_to_run() || cluster == stored.value {
            return Ok(false);
        }
        let write = Write::Put { record: Record::Cluster(Box::new(cluster)), expect: Expect::Version(stored.version) };
        match self.context.store.transact(vec![write]).await {
            Ok(()) => {
                if wake {
                    self.context.wake(name, 0).await;
                }
                Ok(true)
            }
            Err(TransactError::Conflicts(_) | TransactError::Contention) => Ok(false),
            Err(TransactError::Failed(error)) => Err(error),
        }
    }
}

/// Has it no more than it may keep, whatever the index said?
fn is_within(cluster: &Cluster, shrink: &Shrink) -> bool {
    !shrink.end && cluster.reserved.counts.workers <= i64::from(shrink.keep)
}

/// Its clients cannot be told anything: what is in the record has to do.
fn has_no_dashboard(cluster: &Cluster) -> bool {
    cluster.addresses.is_some_and(|a| a.dashboard.is_none())
}

fn is_concerned(checked: &Checked, policy: &Policy) -> bool {
    let Checked { cluster, verdict, shrink, .. } = checked;
    verdict.end.is_some()
        || verdict.wake
        || heard(cluster, verdict)
        || shrink.is_some()
        || cluster.wants_to_run() && (cluster.shrink.is_some() || warnings::any_stale(checked, policy))
        || has_no_dashboard(cluster) && !warnings::untold(checked, policy).is_empty()
}
