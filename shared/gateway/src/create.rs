//! A new cluster: one transaction, one wake.

use super::{Clusters, ServiceError};
use faregate_core::limits::{Effective, effective};
use faregate_core::limits::{Measure, counted};
use faregate_core::model::{Cluster, ClusterName, Counts, Heartbeat, Identity, Ms, PaceStep, Record, Scope, Stored};
use faregate_core::options::Options;
use faregate_core::ports::{Conflict, Expect, Retries, TransactError, Write};
use faregate_core::reconcile::{scheduler_spec, worker_spec};
use faregate_core::safety_rule;
use serde_json::{Map, Value};
use std::net::SocketAddr;

impl Clusters {
    /// What a user may choose.
    pub async fn options_of(&self, who: &Identity) -> Result<Options, ServiceError> {
        let limits = self.context.limits_of(&who.name, &who.groups).await?;
        Ok(self.options().within(&limits.allowed, &self.settings.base))
    }

    /// Refused for users who are frozen, as of a minute ago at most: they read why.
    pub async fn refuse_frozen(&self, who: &Identity) -> Result<(), ServiceError> {
        let items = self.context.limit_items(self.context.policy().limits_cache_ms).await?;
        if items.in_force.values().all(|limits| limits.frozen.is_none()) {
            return Ok(());
        }
        refuse_frozen(&effective(&who.name, &who.groups, &items.in_force))
    }

    /// Writes a cluster down, counted for its user and their groups; the reconciler starts it.
    ///
    /// Refused with [`ServiceError::Invalid`] when an option is wrong or a limit is reached, with [`ServiceError::Conflict`] when others
    /// were always faster: nothing was written then, and the same request may be sent again.
    pub async fn create(&self, who: &Identity, chosen: Map<String, Value>) -> Result<ClusterName, ServiceError> {
        self.next_step(&who.name, self.context.now())?;
        let limits = self.context.limits_of(&who.name, &who.groups).await?;
        refuse_frozen(&limits)?;
        refuse_unreadable(&limits)?;
        let options = self.options().within(&limits.allowed, &self.settings.base);
        let (options, config) =
            options.apply(&chosen, &self.settings.base).map_err(|e| ServiceError::Invalid(e.to_string()))?;
        self.context.refuse_spent(&who.name, &limits).await?;
        self.context.store.check_room()?;
        let host = &self.context.host;
        let now = host.now();
        let name = ClusterName::mint(&self.context.ring().user_key(&who.name), now, host.random());
        let certificate = host.certificate(&name).map_err(ServiceError::Internal)?;
        let tls_key = self
            .context
            .ring()
            .seal(certificate.key_pem.as_bytes(), &name, host.nonce())
            .map_err(|e| ServiceError::Internal(e.to_string()))?;
        let cluster = Cluster::new(name.clone(), &who.name, &who.groups, certificate.cert_pem, tls_key, now);
        let cluster = Cluster { options, config, ..cluster };
        self.refuse_what_cannot_be_launched(&cluster)?;
        let mut writes = self.writes(who, cluster, &limits, now)?;
        let mut retries = Retries::new(&*self.context.host);
        while retries.next().await {
            match self.context.store.transact(writes.clone()).await {
                Ok(()) => {
                    for write in &writes {
                        // further ones change nothing of which step comes next
                        if let Write::Count { pace: Some(PaceStep::First { to, .. }), .. } = write {
                            self.knows_pace(&who.name, *to);
                        }
                    }
                    tracing::info!(cluster = %name, user = who.name, "cluster created");
                    self.context.wake(&name, 0).await;
                    return Ok(name);
                }
                Err(TransactError::Conflicts(conflicts)) => {
                    let (index, paid_at) =
                        only_the_pace(&conflicts, &writes).ok_or_else(|| refuse(&conflicts, &writes, &limits))?;
                    self.knows_pace(&who.name, paid_at);
                    let next = self.next_step(&who.name, host.now())?;
                    if let Write::Count { pace, .. } = &mut writes[index] {
                        *pace = next;
                    }
                }
                Err(TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(ServiceError::Conflict("many clusters are being created at once; try again".into()))
    }
}

/// Where nothing but the pace stood against a creation: the write that keeps it, and what the counter says.
fn only_the_pace(conflicts: &[Conflict], writes: &[Write]) -> Option<(usize, Ms)> {
    let [Conflict { index, held: Some(Stored { value: Record::Usage(usage), .. }) }] = conflicts else { return None };
    match writes.get(*index)? {
        Write::Count { delta, ceiling, pace: Some(_), .. }
            if usage.counts.clusters + delta.clusters <= ceiling.clusters =>
        {
            Some((*index, usage.paid_at))
        }
        _ => None,
    }
}

impl Clusters {
    /// A new cluster's transaction: its records, counted under each of its scopes, at its user's pace.
    fn writes(
        &self,
        who: &Identity,
        cluster: Cluster,
        limits: &Effective,
        now: Ms,
    ) -> Result<Vec<Write>, ServiceError> {
        let keys = cluster.reserved.keys.clone();
        let heartbeat = Heartbeat::new(cluster.name.clone());
        let mut writes = vec![
            Write::Put { record: Record::Cluster(Box::new(cluster)), expect: Expect::Absent },
            Write::Put { record: Record::Heartbeat(heartbeat), expect: Expect::Absent },
        ];
        for scope in keys {
            let ceiling = if safety_rule!(self.context.policy(), charge_conditionally) {
                limits.ceiling(&scope)
            } else {
                Counts::UNBOUNDED
            };
            let pace = match scope {
                Scope::User(_) => self.next_step(&who.name, now)?,
                Scope::Group(_) | Scope::Default => None,
            };
            writes.push(Write::Count { scope, delta: Counts::CLUSTER, ceiling, now, pace });
        }
        Ok(writes)
    }

    /// Before anything is written: a cluster that the launcher can never start would only fail later.
    fn refuse_what_cannot_be_launched(&self, cluster: &Cluster) -> Result<(), ServiceError> {
        let (listen, api_url) = (&self.settings.listen, &self.settings.api_url);
        // the longest address that there is
        let scheduler = SocketAddr::from(([255; 4], u16::MAX));
        let specs = [
            scheduler_spec(cluster, self.context.policy(), listen, api_url),
            worker_spec(cluster, (1, false), scheduler, listen, api_url),
        ];
        specs.iter().try_for_each(self.settings.check_launch).map_err(ServiceError::Invalid)
    }
}

/// Nothing goes for users who are frozen: they read why.
pub(super) fn refuse_frozen(limits: &Effective) -> Result<(), ServiceError> {
    match &limits.frozen {
        Some(frozen) => Err(ServiceError::Invalid(format!("{} is frozen: {}", frozen.from, frozen.value))),
        None => Ok(()),
    }
}

/// Nothing new goes for users of whose limits nothing is known.
pub(super) fn refuse_unreadable(limits: &Effective) -> Result<(), ServiceError> {
    limits.unreadable().map_or(Ok(()), |reason| Err(ServiceError::Invalid(reason.message)))
}

/// The sentence for a counter that is at its limit.
fn refuse(conflicts: &[Conflict], writes: &[Write], limits: &Effective) -> ServiceError {
    let full = conflicts.iter().find_map(|conflict| match writes.get(conflict.index) {
        // one that stood against it for its pace alone is not at its limit
        Some(Write::Count { scope, delta, ceiling, .. })
            if clusters_of(conflict) + delta.clusters > ceiling.clusters =>
        {
            counted(limits, scope, Measure::Clusters).map(|limit| (scope, limit, conflict))
        }
        _ => None,
    });
    let Some((scope, limit, conflict)) = full else {
        return ServiceError::Conflict("the new cluster's name is taken; try again".into());
    };
    let used = clusters_of(conflict);
    let advice = match limit.value {
        0 => "none is ever allowed",
        _ => "so none fits; stop one and try again",
    };
    ServiceError::Invalid(format!(
        "the limit {limit} is reached: {used} in use by {scope} (a stopping cluster counts until it is at rest), {advice}"
    ))
}

/// Clusters that the counter says are there.
fn clusters_of(conflict: &Conflict) -> i64 {
    match conflict.held.as_ref().map(|held| &held.value) {
        Some(Record::Usage(usage)) => usage.counts.clusters,
        _ => 0,
    }
}
