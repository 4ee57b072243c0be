//! What admins do: the same for the API and for the command line.
//!
//! An [`Admin`] needs neither launcher nor schedulers nor secrets: like every other operation its own only write down what is wanted,
//! and send a wake. Each writes its [`Audit`] record before anything else, so that nothing happens that is not on record; what is
//! refused was not written down either.

mod audits;
mod changes;
mod clusters;
mod dashboard;
mod explain;
mod keys;
mod limits;
mod rows;
mod stop;
mod usage;

pub use audits::AuditList;
pub use changes::LimitsChange;
pub use clusters::{ClusterFilter, ClusterList};
pub use explain::{Explained, ExplainedLimit};
pub use limits::{LimitsChanged, LimitsList};
pub use rows::{ClusterRow, UsageRow};
pub use stop::Stopped;
pub use usage::UsageOfAll;

use super::{Gateway, Refusal};
use faregate_core::model::{Audit, Ms, Policy, Scope, valid_user};
use faregate_core::ports::{Host, Store, Wakes};
use serde_json::Value;
use std::sync::Arc;

/// Longest `why`, in characters: as long as the sentence of a freeze.
const LONGEST_WHY: usize = 500;

/// What admins' operations are made of.
#[derive(Clone)]
pub struct Admin {
    /// Records.
    pub store: Arc<dyn Store>,
    /// Hints to the reconciler.
    pub wakes: Arc<dyn Wakes>,
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
    /// Prices, and how time is billed.
    pub policy: Policy,
}

/// Who acts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    who: String,
    why: Option<String>,
}

impl Act {
    /// Somebody's action. `why` is optional, but not empty and not long.
    pub fn new(who: impl Into<String>, why: Option<&str>) -> Result<Self, Refusal> {
        let why = why.map(str::trim);
        if why.is_some_and(|why| why.is_empty() || why.chars().count() > LONGEST_WHY) {
            return Err(Refusal::Invalid(format!("`why` must be a sentence of 1 to {LONGEST_WHY} characters")));
        }
        Ok(Act { who: who.into(), why: why.map(str::to_owned) })
    }

    /// Who acts.
    pub fn who(&self) -> &str {
        &self.who
    }
}

impl Gateway {
    /// What admins do with this gateway.
    pub fn admin(&self) -> Admin {
        let ports = self.ports();
        Admin {
            store: ports.store.clone(),
            wakes: ports.wakes.clone(),
            host: ports.host.clone(),
            policy: self.policy().clone(),
        }
    }
}

impl Admin {
    /// The host's clock.
    pub fn now(&self) -> Ms {
        self.host.now()
    }

    async fn record(&self, act: &Act, action: &str, target: String, details: Value) -> Result<(), Refusal> {
        record(&*self.store, &*self.host, act, action, target, details).await
    }
}

/// Writes an action down. Whoever carries it out does so afterwards.
pub async fn record(
    store: &dyn Store,
    host: &dyn Host,
    act: &Act,
    action: &str,
    target: String,
    details: Value,
) -> Result<(), Refusal> {
    let audit = Audit {
        at: host.now(),
        id: format!("{:016x}", host.random()),
        who: act.who.clone(),
        action: action.to_owned(),
        target,
        details,
        why: act.why.clone(),
    };
    store.audit(&audit).await?;
    tracing::info!(who = audit.who, action, target = audit.target, why = audit.why, "an admin acts");
    Ok(())
}

/// A scope as admins write it: `default`, `group:<name>` or `user:<name>`, with a name that somebody can have.
pub fn parse_scope(text: &str) -> Result<Scope, Refusal> {
    let scope = Scope::typed(text).map_err(Refusal::Invalid)?;
    if let Scope::Group(name) | Scope::User(name) = &scope {
        valid_user(name).map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            Refusal::Invalid(format!(
                "`{shown}` names nobody: a name has 1 to 128 characters, none a control character, and no blanks around it"
            ))
        })?;
    }
    Ok(scope)
}
