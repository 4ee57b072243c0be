//! What the API, events and the clock set in motion: thin shells around [`faregate_core::reconcile`], the same for every host.
//!
//! The API's operations and the events only write what is wanted, or what happened, and send a wake. [`Gateway::turn`] alone
//! starts and stops tasks. [`Gateway::pass`] makes time itself an event. Depends on core and keys: no HTTP. Begin with `turn.rs`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod act;
mod adapt;
pub mod admin;
mod budget;
mod clock;
mod create;
mod disk;
mod events;
mod explain;
mod extend;
mod heartbeat;
mod my_limits;
mod my_usage;
mod paces;
mod pass;
mod read;
mod recount;
mod spend;
mod stop;
mod sweep;
mod trim;
mod turn;

pub use adapt::Scaled;
pub use events::task_event;
pub use explain::{EndedTask, Explanation, Workers};
pub use my_limits::MyLimits;
pub use my_usage::{ClusterUsage, MyUsage, Used};
pub use pass::PassReport;
pub use recount::RecountCursor;
pub use spend::{ClusterSpent, Spent};
pub use stop::Caller;
pub use turn::TurnError;

use faregate_core::command::Listen;
use faregate_core::model::clock::is_younger;
use faregate_core::model::{
    Cluster, ClusterConfig, ClusterName, Effective, InvalidWhy, LaunchSpec, Ms, Policy, Reason, effective,
};
use faregate_core::options::Options;
use faregate_core::ports::{Host, LimitItems, Ports, StoreError, Wake, Wakes};
use faregate_keys::{KeyRing, PASS_LIFE_MS, TICKET_LIFE_MS, Ticket, Use};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a gateway is made of.
#[derive(Clone)]
pub struct GatewayConfig {
    /// The world outside.
    pub ports: Ports,
    /// Its secrets.
    pub ring: KeyRing,
    /// Its durations and bounds.
    pub policy: Policy,
    /// What users may choose.
    pub options: Options,
    /// What a cluster is made of before the user's options.
    pub base: ClusterConfig,
    /// Where tasks reach the gateway: `http(s)://host:port<prefix>/api`.
    pub api_url: String,
    /// Where tasks listen.
    pub listen: Listen,
    /// Can the launcher ever make this launch? Else what to change, as a sentence about the cluster that is asked for. It is asked before
    /// a cluster is written down; what only the launcher knows it says itself.
    pub check_launch: fn(&LaunchSpec) -> Result<(), String>,
}

/// The gateway. Holds no state that a crash could lose: caches only.
pub struct Gateway {
    config: GatewayConfig,
    limits: Mutex<Option<CachedLimits>>,
    /// What users with a budget have spent this month, by user.
    spent: Mutex<HashMap<String, budget::CachedSpent>>,
    /// What users' counters last said of the pace at which they create clusters.
    paces: Mutex<HashMap<String, Ms>>,
    /// What clusters are warned of about their files.
    disk: Mutex<HashMap<ClusterName, Reason>>,
    /// What schedulers last answered to the pass.
    answers: Mutex<pass::Memory>,
}

struct CachedLimits {
    read_at: Ms,
    items: Arc<LimitItems>,
}

/// Why a request was not carried out. Nothing was changed by it. One HTTP status each.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 422: the request itself is wrong, or a limit refuses it.
    #[error("{0}")]
    Invalid(String),
    /// 409: not in this state, or try again.
    #[error("{0}")]
    Conflict(String),
    /// 503: something the gateway depends on is down.
    #[error("{0}")]
    Unavailable(String),
    /// 500: logged; the client gets a general sentence.
    #[error("{0}")]
    Internal(String),
}

impl From<InvalidWhy> for Refusal {
    fn from(error: InvalidWhy) -> Self {
        Refusal::Invalid(error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            // a status whose sentence the client shows
            StoreError::NoRoom(sentence) => {
                tracing::warn!(cause = sentence, "a request found no room");
                Refusal::Conflict(sentence)
            }
            error => Refusal::Unavailable(error.to_string()),
        }
    }
}

impl Gateway {
    /// A gateway on these ports.
    pub fn new(config: GatewayConfig) -> Self {
        Gateway {
            config,
            limits: Mutex::default(),
            spent: Mutex::default(),
            paces: Mutex::default(),
            disk: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// The key ring.
    pub fn ring(&self) -> &KeyRing {
        &self.config.ring
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.config.policy
    }

    /// What users may choose.
    pub fn options(&self) -> &Options {
        &self.config.options
    }

    /// The host's clock.
    pub fn now(&self) -> Ms {
        self.config.ports.host.now()
    }

    /// The private key of a cluster's certificate, PEM.
    pub fn open_key(&self, cluster: &Cluster) -> Result<String, Refusal> {
        let key = self.ring().open(&cluster.tls_key, &cluster.name).map_err(|e| Refusal::Internal(e.to_string()))?;
        String::from_utf8(key).map_err(|e| Refusal::Internal(e.to_string()))
    }

    /// The key in a cluster's dashboard link.
    pub fn dashboard_key(&self, cluster: &Cluster) -> Result<String, Refusal> {
        self.token(cluster, Use::Dashboard)
    }

    /// Leave to look at a cluster's dashboard once, very soon: for a link.
    pub fn dashboard_ticket(&self, cluster: &Cluster) -> Result<String, Refusal> {
        self.ticket(cluster, Use::Ticket, TICKET_LIFE_MS)
    }

    /// Leave to look at a cluster's dashboard for hours: for a cookie.
    pub fn dashboard_pass(&self, cluster: &Cluster) -> Result<String, Refusal> {
        self.ticket(cluster, Use::Pass, PASS_LIFE_MS)
    }

    fn ticket(&self, cluster: &Cluster, purpose: Use, life: Ms) -> Result<String, Refusal> {
        // the cluster's own key: one that is new may not have reached every proxy
        let (key_id, nonce) = (cluster.key_id.clone(), self.ports().host.random());
        let ticket = Ticket { key_id, expires_at: self.now() + life, nonce };
        ticket.issue(self.ring(), purpose, &cluster.name).map_err(|e| Refusal::Internal(e.to_string()))
    }

    fn token(&self, cluster: &Cluster, purpose: Use) -> Result<String, Refusal> {
        self.ring().token(&cluster.key_id, purpose, &cluster.name).map_err(|e| Refusal::Internal(e.to_string()))
    }

    fn ports(&self) -> &Ports {
        &self.config.ports
    }

    /// All limit items, at most `max_age` old.
    async fn limit_items(&self, max_age: Ms) -> Result<Arc<LimitItems>, StoreError> {
        let now = self.now();
        if let Some(cached) = &*self.limits.lock().unwrap_or_else(PoisonError::into_inner)
            && max_age > 0
            && is_younger(cached.read_at, max_age, now)
        {
            return Ok(cached.items.clone());
        }
        let items = Arc::new(self.ports().store.limits().await?);
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
                "limits cannot be read: what can be read of them and what was last in force hold; where there is neither, nothing new starts"
            );
        }
        Ok(items)
    }

    async fn limits_of(&self, user: &str, groups: &[String]) -> Result<Effective, StoreError> {
        let items = self.limit_items(self.policy().limits_cache_ms).await?;
        Ok(effective(user, groups, &items.in_force))
    }

    /// Sends a wake. A wake that is lost is no harm: what is due is found by the next pass.
    async fn wake(&self, name: &ClusterName, delay: Ms) {
        wake(&*self.ports().wakes, &*self.ports().host, name, delay).await;
    }

    /// A pause of up to `most` milliseconds before something is tried again: full jitter.
    async fn jitter(&self, most: Ms) {
        jitter(&*self.ports().host, most).await;
    }
}

/// The same for whoever has no gateway.
async fn jitter(host: &dyn Host, most: Ms) {
    host.sleep_ms((host.random() % most.max(1) as u64) as Ms).await;
}

/// The same for whoever has no gateway.
async fn wake(wakes: &dyn Wakes, host: &dyn Host, name: &ClusterName, delay: Ms) {
    host.announce(name);
    if let Err(error) = wakes.wake(Wake::Cluster(name.clone()), delay).await {
        tracing::warn!(cluster = %name, %error, "the next pass will find what is due");
    }
}
