//! Limits, set and taken away.

use super::super::ServiceError;
use super::{Act, Admin, LimitsChange};
use faregate_core::model::{Limits, Scope};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// All limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitsList {
    /// What is in force, by scope; fields that say nothing are left out.
    pub limits: BTreeMap<String, Map<String, Value>>,
    /// Items that cannot be read as a whole, and what is wrong with each. What can be read of them holds, and for the rest what was
    /// last in force; where there is neither, nothing new starts for those whom the item is about.
    pub broken: BTreeMap<String, String>,
}

/// A scope's limits after a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitsChanged {
    /// Whose.
    pub scope: Scope,
    /// What is in force from now on; empty when nothing is left.
    pub limits: Map<String, Value>,
    /// What was wrong with the item that was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
}

impl Admin {
    /// What is in force, and what cannot be read.
    pub async fn limits(&self) -> Result<LimitsList, ServiceError> {
        let items = self.store.limits().await?;
        let limits = items.in_force.iter().map(|(scope, limits)| (scope.to_string(), fields(limits))).collect();
        Ok(LimitsList { limits, broken: items.broken })
    }

    /// Sets fields of a scope's limits, and takes others away. Nothing is written when the outcome is no good limits.
    pub async fn change_limits(
        &self,
        act: &Act,
        scope: &Scope,
        change: &LimitsChange,
    ) -> Result<LimitsChanged, ServiceError> {
        self.write_limits(act, "set-limits", scope, change).await
    }

    /// Nothing of this scope starts any more, and what runs is stopped: its users see why.
    pub async fn freeze(&self, act: &Act, scope: &Scope) -> Result<LimitsChanged, ServiceError> {
        let Some(why) = act.why() else {
            return Err(ServiceError::Invalid("`why` is missing: the sentence that frozen users are shown".into()));
        };
        let set = Map::from_iter([("frozen".to_owned(), Value::from(why))]);
        self.write_limits(act, "freeze", scope, &LimitsChange { set, unset: Vec::new() }).await
    }

    /// Takes a freeze back.
    pub async fn unfreeze(&self, act: &Act, scope: &Scope) -> Result<LimitsChanged, ServiceError> {
        let items = self.store.limits().await?;
        if items.in_force.get(scope).is_none_or(|limits| limits.frozen.is_none()) {
            return Err(ServiceError::Conflict(format!("`{scope}` is not frozen")));
        }
        let change = LimitsChange { set: Map::new(), unset: vec!["frozen".to_owned()] };
        self.write_limits(act, "unfreeze", scope, &change).await
    }

    async fn write_limits(
        &self,
        act: &Act,
        action: &str,
        scope: &Scope,
        change: &LimitsChange,
    ) -> Result<LimitsChanged, ServiceError> {
        let items = self.store.limits().await?;
        let decided = change.decide(scope, &items).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let details = json!({
            "set": change.set, "unset": change.unset, "before": fields(&decided.before), "replaces": decided.replaces,
        });
        self.record(act, action, scope.to_string(), details).await?;
        self.store.put_limits(scope, decided.after.as_ref()).await?;
        let limits = fields(&decided.after.unwrap_or_default());
        Ok(LimitsChanged { scope: scope.clone(), limits, replaced: decided.replaces })
    }
}

/// The fields that say something.
pub(super) fn fields(limits: &Limits) -> Map<String, Value> {
    match serde_json::to_value(limits) {
        Ok(Value::Object(fields)) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
