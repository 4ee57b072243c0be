//! What a user's clusters used in a month, and what it cost.

use super::{ClusterSpent, Context, ServiceError};
use faregate_core::model::{Amount, ClusterName, Identity, Month};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A user's month, as they read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MyUsage {
    /// The month (UTC).
    pub month: Month,
    /// Whose.
    pub user: String,
    /// By cluster: those that used anything, and in this month also those that are active.
    pub clusters: BTreeMap<ClusterName, ClusterUsage>,
    /// All of them together.
    pub total: Used,
    /// The budget of the month, and what is left of it; null = none.
    pub budget: Value,
}

/// One cluster's share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterUsage {
    /// What it used.
    #[serde(flatten)]
    pub used: Used,
    /// It is not at rest, so it may use more.
    pub running: bool,
}

/// What was used, in the units in which it is sold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Used {
    /// On demand.
    pub vcpu_hours: f64,
    /// On demand.
    pub gib_hours: f64,
    /// On Spot.
    pub spot_vcpu_hours: f64,
    /// On Spot.
    pub spot_gib_hours: f64,
    /// Price of all of it, in US dollars.
    pub usd: f64,
}

impl From<Amount> for Used {
    fn from(amount: Amount) -> Self {
        let vcpu = |millicore_ms: i64| millicore_ms as f64 / 3.6e9;
        let gib = |mib_ms: i64| mib_ms as f64 / (1024.0 * 3.6e6);
        Used {
            vcpu_hours: vcpu(amount.millicore_ms),
            gib_hours: gib(amount.mib_ms),
            spot_vcpu_hours: vcpu(amount.spot_millicore_ms),
            spot_gib_hours: gib(amount.spot_mib_ms),
            usd: amount.usd(),
        }
    }
}

/// Adds up what users have used and spent.
pub struct Usage {
    context: Arc<Context>,
}

impl Usage {
    /// Over these records.
    pub fn new(context: Arc<Context>) -> Self {
        Usage { context }
    }

    /// What the caller used in a month (none: in this one), what runs included.
    pub async fn of(&self, who: &Identity, month: Option<Month>) -> Result<MyUsage, ServiceError> {
        let this_month = Month::of(self.context.now());
        let month = month.unwrap_or(this_month);
        let limits = self.context.limits_of(&who.name, &who.groups).await?;
        let spent = self.context.spent(&who.name, month).await?;
        let total = spent.total().into();
        let budget = limits.budget.as_ref().map_or(Value::Null, |budget| spent.of_budget(budget));
        let is_of_interest = |spent: &ClusterSpent| !spent.total().is_zero() || spent.active && month == this_month;
        let clusters = spent.clusters.into_iter().filter(|(_, spent)| is_of_interest(spent));
        let clusters = clusters
            .map(|(name, spent)| (name, ClusterUsage { used: spent.total().into(), running: spent.active }))
            .collect();
        Ok(MyUsage { month, user: who.name.clone(), clusters, total, budget })
    }
}
