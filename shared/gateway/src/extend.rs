//! How its owner makes a cluster live longer.

use super::{Clusters, ServiceError};
use faregate_core::model::{Cluster, ClusterName, Identity, Ms, ReasonCode, Record};
use faregate_core::ports::{Expect, Retries, TransactError, Write};
use faregate_core::reconcile::enforce::{Longest, deadline, utc};

impl Clusters {
    /// Lets a cluster live for at least `ms` from now. When it ends then; none = it has no end.
    ///
    /// It ends no sooner by this than without it. [`ServiceError::Invalid`] when a limit lets it live less long.
    pub async fn extend(&self, who: &Identity, name: &ClusterName, ms: Ms) -> Result<Option<Ms>, ServiceError> {
        let mut retries = Retries::new(&*self.context.host);
        while retries.next().await {
            let (mut cluster, version) = self.own(who, name).await?;
            if !cluster.status.is_active() || !cluster.wants_to_run() {
                return Err(ServiceError::Conflict(format!("Cluster '{name}' is not active any more")));
            }
            let limits = self.context.limits_of(&cluster.user, &cluster.groups).await?;
            let now = self.context.now();
            if let Some(longest) = Longest::of(&limits, self.context.policy())
                && now.saturating_add(ms) > cluster.created_at.saturating_add(longest.ms)
            {
                return Err(ServiceError::Invalid(too_long(&cluster, &longest, ms, now)));
            }
            let ends_at = deadline(&cluster, &limits, self.context.policy()).map(|deadline| deadline.at);
            let ends_at = match ends_at {
                Some(at) if at < now.saturating_add(ms) => now.saturating_add(ms),
                soon_enough => return Ok(soon_enough),
            };
            cluster.extended_until = Some(ends_at);
            // should it still end soon, it is warned of anew
            cluster.warnings.retain(|warning| warning.code != ReasonCode::MaxLifetime);
            let write = Write::Put { record: Record::Cluster(Box::new(cluster)), expect: Expect::Version(version) };
            match self.context.store.transact(vec![write]).await {
                Ok(()) => return Ok(Some(ends_at)),
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(ServiceError::Conflict(format!("Cluster '{name}' is being worked on; try again")))
    }
}

fn too_long(cluster: &Cluster, longest: &Longest, ms: Ms, now: Ms) -> String {
    let latest = cluster.created_at.saturating_add(longest.ms);
    let (asked, fits) = (ms as f64 / 1000.0, (latest - now).max(0) / 1000);
    format!(
        "`seconds` = {asked} exceeds this cluster's longest lifetime of {longest}: it began at {}, so it lives until {} at most, and {fits} \
         s from now would fit",
        utc(cluster.created_at),
        utc(latest)
    )
}
