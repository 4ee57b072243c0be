//! What a user may have, whose rule each limit is, what is in use and what is left.

use super::{Clusters, ServiceError};
use faregate_core::limits::{Effective, LimitValue};
use faregate_core::limits::{Measure, counted};
use faregate_core::model::{Counts, Identity, Month, Ms, Scope};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A user's limits, as they read them. Null = none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MyLimits {
    /// By field, as in a limit item: `limit` in the item's unit (memory in bytes, times in seconds), `from` whom it is, and, where
    /// something can be used, `used` and `left`. Of the groups' totals the tightest of each kind.
    pub limits: Map<String, Value>,
    /// The totals of each of the user's groups.
    pub groups: Map<String, Value>,
}

impl Clusters {
    /// The caller's limits, and what they have in use of them.
    pub async fn my_limits(&self, who: &Identity) -> Result<MyLimits, ServiceError> {
        let limits = self.context.limits_of(&who.name, &who.groups).await?;
        let mut keys = vec![Scope::User(who.name.clone())];
        keys.extend(who.groups.iter().cloned().map(Scope::Group));
        let used: Vec<Counts> = self.context.store.usage(&keys).await?.into_iter().map(|u| u.value.counts).collect();
        let spent = self.context.spent(&who.name, Month::of(self.context.now())).await?;

        let mut of = Map::new();
        let mut groups = Map::new();
        for (key, used) in keys.iter().zip(&used) {
            let counts =
                Measure::ALL.map(|measure| (measure.field(key).to_owned(), count(&limits, key, measure, used)));
            match key {
                Scope::Group(_) => drop(groups.insert(key.to_string(), Value::Object(counts.into_iter().collect()))),
                Scope::User(_) | Scope::Default => of.extend(counts),
            }
        }
        of.insert("cluster_workers".into(), plain(&limits.cluster_workers, |n| json!(n)));
        of.insert("cluster_cores".into(), plain(&limits.cluster_cores, |n| json!(n)));
        of.insert("cluster_memory".into(), plain(&limits.cluster_memory, |n| json!(n)));
        of.extend(tightest(&limits, &keys, &used));
        of.insert("max_lifetime".into(), max_lifetime(&limits, self.context.policy().max_lifetime_ms));
        of.insert("idle_timeout".into(), plain(&limits.idle_timeout_ms, seconds));
        let none = json!({"limit": null, "from": null, "used": spent.usd(), "left": null});
        let budget = limits.budget.as_ref().map_or(none, |budget| spent.of_budget(budget));
        of.insert("budget".into(), budget);
        let allowed =
            limits.allowed.iter().map(|(field, rule)| (field.clone(), json!({"limit": rule.value, "from": rule.from})));
        of.insert("allowed".into(), Value::Object(allowed.collect()));
        of.insert("frozen".into(), plain(&limits.frozen, |sentence| json!(sentence)));
        if let (Some(reason), Some(unreadable)) = (limits.unreadable(), &limits.unreadable) {
            of.insert("unreadable".into(), json!({"limit": reason.message, "from": unreadable.from}));
        }
        Ok(MyLimits { limits: of, groups })
    }
}

/// A limit on what is counted.
fn count(limits: &Effective, key: &Scope, measure: Measure, used: &Counts) -> Value {
    let (ceiling, used) = (counted(limits, key, measure), measure.of(used));
    let left = ceiling.as_ref().map(|ceiling| measure.json((ceiling.value - used).max(0)));
    json!({
        "limit": ceiling.as_ref().map(|ceiling| measure.json(ceiling.value)),
        "from": ceiling.map(|ceiling| ceiling.from),
        "used": measure.json(used),
        "left": left,
    })
}

/// Of the totals of several groups, that of each kind which leaves the least.
fn tightest(limits: &Effective, keys: &[Scope], used: &[Counts]) -> Vec<(String, Value)> {
    let of = |measure: Measure| {
        let groups = keys.iter().zip(used).filter(|(key, _)| matches!(key, Scope::Group(_)));
        let limited = groups.filter_map(|(key, used)| {
            let ceiling = counted(limits, key, measure)?;
            Some((ceiling.value - measure.of(used), key, used))
        });
        let tightest = limited.min_by_key(|(left, _, _)| *left);
        let field = measure.field(&Scope::Group(String::new())).to_owned();
        let none = json!({"limit": null, "from": null, "used": null, "left": null});
        (field, tightest.map_or(none, |(_, key, used)| count(limits, key, measure, used)))
    };
    Measure::ALL.into_iter().map(of).collect()
}

/// A limit on what is not counted.
fn plain<T>(limit: &Option<LimitValue<T>>, value: impl Fn(&T) -> Value) -> Value {
    match limit {
        Some(limit) => json!({"limit": value(&limit.value), "from": limit.from}),
        None => json!({"limit": null, "from": null}),
    }
}

fn seconds(ms: &Ms) -> Value {
    json!(*ms as f64 / 1000.0)
}

/// The smaller of the user's and the gateway's own.
fn max_lifetime(limits: &Effective, all: Option<Ms>) -> Value {
    match (&limits.max_lifetime_ms, all) {
        (own, Some(all)) if own.as_ref().is_none_or(|own| own.value > all) => {
            json!({"limit": seconds(&all), "from": "policy"})
        }
        (own, _) => plain(own, seconds),
    }
}
