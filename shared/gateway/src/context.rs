//! What all services have: the records, wakes, the clock, secrets and policy, and the caches over them. A process has one.

use super::ServiceError;
use super::budget::CachedSpent;
use faregate_core::limits::{Effective, effective};
use faregate_core::model::clock::is_younger;
use faregate_core::model::{Cluster, ClusterName, Ms, Policy};
use faregate_core::ports::{Host, LimitItems, Store, StoreError, Wake, Wakes};
use faregate_keys::{KeyRing, Use};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Holds no state that a crash could lose: caches only.
pub struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) wakes: Arc<dyn Wakes>,
    pub(crate) host: Arc<dyn Host>,
    ring: KeyRing,
    policy: Policy,
    limits: Mutex<Option<CachedLimits>>,
    /// What users with a budget have spent this month, by user.
    pub(crate) spent: Mutex<HashMap<String, CachedSpent>>,
}

struct CachedLimits {
    read_at: Ms,
    items: Arc<LimitItems>,
}

impl Context {
    /// Over these records.
    pub fn new(
        store: Arc<dyn Store>,
        wakes: Arc<dyn Wakes>,
        host: Arc<dyn Host>,
        ring: KeyRing,
        policy: Policy,
    ) -> Self {
        Context { store, wakes, host, ring, policy, limits: Mutex::default(), spent: Mutex::default() }
    }

    /// The key ring.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The host's clock.
    pub fn now(&self) -> Ms {
        self.host.now()
    }

    /// The private key of a cluster's certificate, PEM.
    pub fn open_key(&self, cluster: &Cluster) -> Result<String, ServiceError> {
        let key =
            self.ring().open(&cluster.tls_key, &cluster.name).map_err(|e| ServiceError::Internal(e.to_string()))?;
        String::from_utf8(key).map_err(|e| ServiceError::Internal(e.to_string()))
    }

    pub(crate) fn token(&self, cluster: &Cluster, purpose: Use) -> Result<String, ServiceError> {
        self.ring().token(&cluster.key_id, purpose, &cluster.name).map_err(|e| ServiceError::Internal(e.to_string()))
    }

    /// All limit items, at most `max_age` old.
    pub(crate) async fn limit_items(&self, max_age: Ms) -> Result<Arc<LimitItems>, StoreError> {
        let now = self.now();
        if let Some(cached) = &*self.limits.lock().unwrap_or_else(PoisonError::into_inner)
            && max_age > 0
            && is_younger(cached.read_at, max_age, now)
        {
            return Ok(cached.items.clone());
        }
        let items = Arc::new(self.store.limits().await?);
        let cached = CachedLimits { read_at: now, items: items.clone() };
        let before = self.limits.lock().unwrap_or_else(PoisonError::into_inner).replace(cached);
        let broken = before.as_ref().map(|cached| &cached.items.broken);
        // once for each edit
        for (item, problem) in
            items.broken.iter().filter(|(item, problem)| broken.and_then(|b| b.get(*item)) != Some(problem))
        {
            tracing::error!(
                item,
                problem,
                "limits not readable: what can be read of them and what was last in force hold; where there is neither, nothing new starts"
            );
        }
        Ok(items)
    }

    pub(crate) async fn limits_of(&self, user: &str, groups: &[String]) -> Result<Effective, StoreError> {
        let items = self.limit_items(self.policy().limits_cache_ms).await?;
        Ok(effective(user, groups, &items.in_force))
    }

    /// Sends a wake. A wake that is lost is no harm: what is due is found by the next enforcement run.
    pub(crate) async fn wake(&self, name: &ClusterName, delay: Ms) {
        wake(&*self.wakes, &*self.host, name, delay).await;
    }
}

/// The same for whoever has no context.
pub(crate) async fn wake(wakes: &dyn Wakes, host: &dyn Host, name: &ClusterName, delay: Ms) {
    host.announce(name);
    if let Err(error) = wakes.wake(Wake::Cluster(name.clone()), delay).await {
        tracing::warn!(cluster = %name, %error, "wake not sent; the next enforcement run finds what is due");
    }
}
