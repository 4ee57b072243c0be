//! How long a cluster lives, and how its owner makes it longer.

use super::{Gateway, Refusal};
use crate::model::{Cluster, ClusterName, Effective, Identity, Ms, Policy, ReasonCode, Record};
use crate::ports::{Expect, TransactError, Write};

/// Tries when others write the record at the same time.
const TRIES: u32 = 8;

/// When a cluster ends whatever it does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deadline {
    pub at: Ms,
    /// Whose doing that is.
    pub by: String,
}

/// The latest moment that its limits let a cluster live until.
fn latest(cluster: &Cluster, limits: &Effective, policy: &Policy) -> Option<Deadline> {
    let of = |longest: Ms, whose: String| Deadline {
        at: cluster.created_at.saturating_add(longest),
        by: format!("the limit `max_lifetime` = {} s of {whose}", longest as f64 / 1000.0),
    };
    let own = limits.max_lifetime_ms.as_ref().map(|limit| of(limit.value, limit.from.to_string()));
    let all = policy.max_lifetime_ms.map(|longest| of(longest, "the gateway".to_owned()));
    own.into_iter().chain(all).min_by_key(|deadline| deadline.at)
}

/// When a cluster ends: at what its owner asked for last, else after its configured lifetime, and never later than its limits let it.
pub(super) fn deadline(cluster: &Cluster, limits: &Effective, policy: &Policy) -> Option<Deadline> {
    let configured = (cluster.config.lifetime > 0.0).then(|| Deadline {
        at: cluster.created_at.saturating_add((cluster.config.lifetime * 1000.0) as Ms),
        by: format!("its `lifetime` of {} s", cluster.config.lifetime),
    });
    let asked = cluster.extended_until.map(|at| Deadline { at, by: "its owner's wish".to_owned() });
    let deadlines = asked.or(configured).into_iter().chain(latest(cluster, limits, policy));
    deadlines.min_by_key(|deadline| deadline.at)
}

impl Gateway {
    /// Lets a cluster live for at least `ms` from now. When it ends then; none = it has no end.
    ///
    /// It ends no sooner by this than without it. [`Refusal::Invalid`] when a limit lets it live less long.
    pub async fn extend(&self, who: &Identity, name: &ClusterName, ms: Ms) -> Result<Option<Ms>, Refusal> {
        for attempt in 0..TRIES {
            let (mut cluster, version) = self.own(who, name).await?;
            if !cluster.status.is_active() || !cluster.wants_to_run() {
                return Err(Refusal::Conflict(format!("Cluster '{name}' is not active any more")));
            }
            let limits = self.limits_of(&cluster.user, &cluster.groups).await?;
            let now = self.now();
            if let Some(latest) = latest(&cluster, &limits, self.policy())
                && now.saturating_add(ms) > latest.at
            {
                return Err(Refusal::Invalid(too_long(&cluster, &latest, ms, now)));
            }
            let ends_at = deadline(&cluster, &limits, self.policy()).map(|deadline| deadline.at);
            let ends_at = match ends_at {
                Some(at) if at < now.saturating_add(ms) => now.saturating_add(ms),
                soon_enough => return Ok(soon_enough),
            };
            cluster.extended_until = Some(ends_at);
            // should it still end soon, it is warned of anew
            cluster.warnings.retain(|warning| warning.code != ReasonCode::MaxLifetime);
            let write = Write::Put { record: Record::Cluster(Box::new(cluster)), expect: Expect::Version(version) };
            match self.ports().store.transact(vec![write]).await {
                Ok(()) => return Ok(Some(ends_at)),
                Err(TransactError::Conflicts(_) | TransactError::Contention) => self.jitter(20 << attempt).await,
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(Refusal::Conflict(format!("Cluster '{name}' is being worked on; try again")))
    }
}

fn too_long(cluster: &Cluster, latest: &Deadline, ms: Ms, now: Ms) -> String {
    let asked = ms as f64 / 1000.0;
    format!(
        "`seconds` = {asked} exceeds {}: the cluster has lived for {} s, so {} s from now would fit",
        latest.by,
        (now - cluster.created_at) / 1000,
        (latest.at - now).max(0) / 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClusterConfig, KeyRing, LimitValue, Scope};

    #[test]
    fn what_ends_a_cluster_first_is_named() {
        let ring = KeyRing::from_random(&[7; 64]);
        let name = ClusterName::mint(&ring.user_key("alice"), 1_000, 1);
        let key = ring.seal(b"key", &name, [0; 12]).unwrap();
        let mut cluster = Cluster::new(name, "alice", &[], String::new(), key, 1_000);
        let of = |cluster: &Cluster, limit: Option<Ms>, all| {
            let max_lifetime_ms = limit.map(|value| LimitValue { value, from: Scope::Default });
            let limits = Effective { max_lifetime_ms, ..Effective::default() };
            let policy = Policy { max_lifetime_ms: all, ..Policy::default() };
            deadline(cluster, &limits, &policy).map(|d| (d.at, d.by))
        };
        assert_eq!(of(&cluster, None, None), None);
        let limit = |ms: Ms, by: &str| Some((1_000 + ms, format!("the limit `max_lifetime` = {by}")));
        assert_eq!(of(&cluster, Some(9_500), None), limit(9_500, "9.5 s of default"));
        assert_eq!(of(&cluster, Some(9_500), Some(8_000)), limit(8_000, "8 s of the gateway"));
        cluster.config = ClusterConfig { lifetime: 5.0, ..ClusterConfig::default() };
        assert_eq!(of(&cluster, Some(9_500), None), Some((6_000, "its `lifetime` of 5 s".into())));
        cluster.extended_until = Some(8_000);
        assert_eq!(of(&cluster, Some(9_500), None), Some((8_000, "its owner's wish".into())));
        assert_eq!(of(&cluster, Some(6_000), None), limit(6_000, "6 s of default"));
    }
}
