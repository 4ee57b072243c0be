//! What admins do: the same for the API and for the command line.
//!
//! An [`Admin`] needs neither launcher nor schedulers nor secrets: like every other operation its own only write down what is wanted,
//! and send a wake. Each writes its [`faregate_core::model::Audit`] record before anything else, so that nothing happens that is not on record; what is
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
pub use faregate_core::model::Act;
pub use limits::{LimitsChanged, LimitsList};
pub use rows::{ClusterRow, UsageRow};
pub use stop::Stopped;
pub use usage::UsageOfAll;

use super::ServiceError;
use faregate_core::model::{Ms, Policy, Scope, valid_user};
use faregate_core::ports::{Host, Store, Wakes};
use serde_json::Value;
use std::sync::Arc;

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

impl Admin {
    /// The host's clock.
    pub fn now(&self) -> Ms {
        self.host.now()
    }

    /// Writes an action down. Whoever carries it out does so afterwards.
    async fn record(&self, act: &Act, action: &str, target: String, details: Value) -> Result<(), ServiceError> {
        let audit = act.audit(&*self.host, action, target, details);
        self.store.audit(&audit).await?;
        tracing::info!(who = audit.who, action, target = audit.target, why = audit.why, "admin action");
        Ok(())
    }
}

/// A scope as admins write it: `default`, `group:<name>` or `user:<name>`, with a name that somebody can have.
pub fn parse_scope(text: &str) -> Result<Scope, ServiceError> {
    let scope = Scope::typed(text).map_err(ServiceError::Invalid)?;
    if let Scope::Group(name) | Scope::User(name) = &scope {
        valid_user(name).map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            ServiceError::Invalid(format!(
                "`{shown}` names nobody: a name has 1 to 128 characters, none a control character, and no blanks around it"
            ))
        })?;
    }
    Ok(scope)
}
