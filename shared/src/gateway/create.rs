//! A new cluster: one transaction, one wake.

use super::{Gateway, Refusal};
use crate::model::{Cluster, ClusterName, Counts, Heartbeat, Identity, LimitValue, Record, Scope, effective};
use crate::ports::{Conflict, Expect, TransactError, Write};
use serde_json::{Map, Value};

/// Tries of a transaction that meets others at the same counters.
const TRIES: u32 = 8;

impl Gateway {
    /// Writes a cluster down, charged to its user and their groups; the reconciler starts it.
    ///
    /// Refused with [`Refusal::Invalid`] when an option is wrong or a limit is reached, with [`Refusal::Conflict`] when others
    /// were always faster: nothing was written then, and the same request may be sent again.
    pub async fn create(&self, who: &Identity, options: Map<String, Value>) -> Result<ClusterName, Refusal> {
        let items = self.limit_items(self.policy().limits_cache_ms).await?;
        let limits = effective(&who.name, &who.groups, &items.in_force);
        if let Some(frozen) = &limits.frozen {
            return Err(Refusal::Invalid(format!("no new clusters for {}: {}", frozen.from, frozen.value)));
        }
        let (options, config) =
            self.options().apply(&options, &self.config.base).map_err(|e| Refusal::Invalid(e.to_string()))?;
        let host = &self.ports().host;
        let now = host.now();
        let name = ClusterName::mint(&self.ring().user_key(&who.name), now, host.random());
        let certificate = host.certificate(&name).map_err(Refusal::Internal)?;
        let tls_key = self
            .ring()
            .seal(certificate.key_pem.as_bytes(), &name, host.nonce())
            .map_err(|e| Refusal::Internal(e.to_string()))?;
        let cluster = Cluster::new(name.clone(), &who.name, &who.groups, certificate.cert_pem, tls_key, now);
        let cluster = Cluster { options, config, ..cluster };
        let keys = cluster.charged.keys.clone();
        let mut writes = vec![
            Write::Put { record: Record::Cluster(Box::new(cluster)), expect: Expect::Absent },
            Write::Put { record: Record::Heartbeat(Heartbeat::new(name.clone())), expect: Expect::Absent },
        ];
        for scope in keys {
            let ceiling =
                if self.policy().rules.charge_conditionally { limits.ceiling(&scope) } else { Counts::UNBOUNDED };
            writes.push(Write::Count { scope, delta: Counts::CLUSTER, ceiling, now });
        }
        for attempt in 0..TRIES {
            match self.ports().store.transact(writes.clone()).await {
                Ok(()) => {
                    tracing::info!(cluster = %name, user = who.name, "created");
                    self.wake(&name, 0).await;
                    return Ok(name);
                }
                Err(TransactError::Conflicts(conflicts)) => {
                    return Err(self.refuse(&conflicts, &writes, limits.clusters.as_ref()));
                }
                Err(TransactError::Contention) => self.jitter(20 << attempt).await,
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(Refusal::Conflict("many clusters are being created at once; try again".into()))
    }

    /// The sentence for a counter that is at its limit.
    fn refuse(&self, conflicts: &[Conflict], writes: &[Write], own: Option<&LimitValue<i64>>) -> Refusal {
        let full = conflicts.iter().find_map(|c| match writes.get(c.index) {
            Some(Write::Count { scope, ceiling, .. }) => Some((scope, ceiling.clusters, c)),
            _ => None,
        });
        let Some((scope, limit, conflict)) = full else {
            return Refusal::Conflict("the new cluster's name is taken; try again".into());
        };
        let used = match conflict.held.as_ref().map(|held| &held.value) {
            Some(Record::Usage(usage)) => usage.counts.clusters,
            _ => 0,
        };
        let (field, from) = match (scope, own) {
            (Scope::User(_), Some(own)) => ("clusters", own.from.to_string()),
            _ => ("total_clusters", scope.to_string()),
        };
        Refusal::Invalid(format!(
            "the limit `{field}` = {limit} of {from} is reached: {used} in use by {scope} (a stopping cluster counts until it is \
             at rest), so none fits; stop one and try again"
        ))
    }
}
