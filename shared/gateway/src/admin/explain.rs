//! What applies to somebody, and who says so.

use super::super::ServiceError;
use super::super::spend::spent;
use super::limits::fields;
use super::{Admin, ClusterFilter};
use faregate_core::limits::{Effective, LimitValue, effective};
use faregate_core::model::{Counts, Month, Scope, UserKey};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What applies to a scope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// To whom.
    pub scope: Scope,
    /// The user's groups: as asked for, or those of their active clusters.
    pub groups: Vec<String>,
    /// Every limit, in the order of the fields.
    pub limits: Vec<ExplainedLimit>,
    /// Items that concern the scope and cannot be read: what was last in force of them still is.
    pub broken: BTreeMap<String, String>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedLimit {
    /// Its field, as in an item; `allowed.<option>` for the values of an option.
    pub field: String,
    /// Its value, as in an item; null = none.
    pub limit: Value,
    /// Whose it is: a scope, or `policy` for the gateway's own.
    pub from: Option<String>,
    /// What of it is in use, where it is something that is used.
    pub used: Option<f64>,
    /// What is left of it.
    pub left: Option<f64>,
}

impl Admin {
    /// The effective policy of a user, or what one item says. A user's `groups` are those given, else those of their active clusters.
    /// `user_key` is the user's partition, where it is known: else their spending is known only while they have an active cluster.
    pub async fn explain(
        &self,
        scope: &Scope,
        groups: &[String],
        user_key: Option<UserKey>,
    ) -> Result<Explained, ServiceError> {
        let items = self.store.limits().await?;
        let mut concerned = vec![scope.clone()];
        let mut of_user = Vec::new();
        let limits = match scope {
            Scope::User(user) => {
                let filter = ClusterFilter { user: Some(user.clone()), ..ClusterFilter::default() };
                let active = self.clusters(&filter).await?.clusters;
                let found = if groups.is_empty() {
                    active.iter().flat_map(|cluster| cluster.groups.clone()).collect::<BTreeSet<_>>()
                } else {
                    groups.iter().cloned().collect()
                };
                of_user.extend(found);
                concerned.extend(of_user.iter().cloned().map(Scope::Group));
                let used = self.used(&concerned).await?;
                concerned.push(Scope::Default);
                let key = user_key.or_else(|| active.first().map(|cluster| cluster.name.user_key()));
                let usd = match key {
                    Some(key) => {
                        let month = Month::of(self.now());
                        Some(spent(&*self.store, &*self.host, &self.policy, user, &key, month).await?.usd())
                    }
                    None => None,
                };
                of_effective(
                    &effective(user, &of_user, &items.in_force),
                    scope,
                    &used,
                    usd,
                    self.policy.max_lifetime_ms,
                )
            }
            Scope::Group(_) | Scope::Default => {
                let used = self.used(&concerned).await?.remove(scope).unwrap_or_default();
                let item = items.in_force.get(scope).map(fields).unwrap_or_default();
                let of = |(field, limit): (String, Value)| {
                    let used = field.strip_prefix("total_").and_then(|count| count_of(count, used));
                    explained(&field, limit, Some(scope.to_string()), used)
                };
                item.into_iter().map(of).collect()
            }
        };
        let here = |sort: &&String| Scope::typed(sort).is_ok_and(|scope| concerned.contains(&scope));
        let broken = items.broken.iter().filter(|(sort, _)| here(sort)).map(|(s, p)| (s.clone(), p.clone())).collect();
        Ok(Explained { scope: scope.clone(), groups: of_user, limits, broken })
    }

    async fn used(&self, scopes: &[Scope]) -> Result<BTreeMap<Scope, Counts>, ServiceError> {
        let usage = self.store.usage(scopes).await?;
        Ok(usage.into_iter().map(|usage| (usage.value.scope, usage.value.counts)).collect())
    }
}

fn count_of(field: &str, counts: Counts) -> Option<f64> {
    match field {
        "clusters" => Some(counts.clusters as f64),
        "workers" => Some(counts.workers as f64),
        "cores" => Some(counts.millicores as f64 / 1000.0),
        "memory" => Some(counts.memory_bytes as f64),
        _ => None,
    }
}

fn explained(field: &str, limit: Value, from: Option<String>, used: Option<f64>) -> ExplainedLimit {
    let left = limit.as_f64().zip(used).map(|(limit, used)| (limit - used).max(0.0));
    ExplainedLimit { field: field.to_owned(), limit, from, used, left }
}

fn of_effective(
    limits: &Effective,
    user: &Scope,
    used: &BTreeMap<Scope, Counts>,
    usd: Option<f64>,
    longest_ms: Option<i64>,
) -> Vec<ExplainedLimit> {
    fn of<T: Serialize>(limit: &Option<LimitValue<T>>) -> (Value, Option<String>) {
        match limit {
            Some(limit) => (json!(limit.value), Some(limit.from.to_string())),
            None => (Value::Null, None),
        }
    }
    let seconds = |limit: &Option<LimitValue<i64>>| {
        of(&limit.as_ref().map(|l| LimitValue { value: l.value as f64 / 1000.0, from: l.from.clone() }))
    };
    let own = used.get(user).copied().unwrap_or_default();
    let lifetime = match (longest_ms, &limits.max_lifetime_ms) {
        (Some(longest), limit) if limit.as_ref().is_none_or(|limit| limit.value > longest) => {
            (json!(longest as f64 / 1000.0), Some("policy".to_owned()))
        }
        (_, limit) => seconds(limit),
    };
    let fields = [
        ("clusters", of(&limits.clusters), count_of("clusters", own)),
        ("workers", of(&limits.workers), count_of("workers", own)),
        ("cores", of(&limits.cores), count_of("cores", own)),
        ("memory", of(&limits.memory), count_of("memory", own)),
        ("cluster_workers", of(&limits.cluster_workers), None),
        ("cluster_cores", of(&limits.cluster_cores), None),
        ("cluster_memory", of(&limits.cluster_memory), None),
        ("max_lifetime", lifetime, None),
        ("idle_timeout", seconds(&limits.idle_timeout_ms), None),
        ("budget", of(&limits.budget), usd),
        ("frozen", of(&limits.frozen), None),
    ];
    let fields = fields.into_iter().map(|(field, (limit, from), used)| explained(field, limit, from, used));
    let totals = limits.totals.iter().flat_map(|(group, totals)| {
        let used = used.get(group).copied().unwrap_or_default();
        let fields = [
            ("clusters", totals.clusters.map(Value::from)),
            ("workers", totals.workers.map(Value::from)),
            ("cores", totals.cores.map(Value::from)),
            ("memory", totals.memory.map(Value::from)),
        ];
        let set = fields.into_iter().filter_map(|(field, limit)| Some((field, limit?)));
        set.map(move |(field, limit)| {
            explained(&format!("total_{field}"), limit, Some(group.to_string()), count_of(field, used))
        })
    });
    let allowed = limits.allowed.iter().map(|(option, values)| {
        explained(&format!("allowed.{option}"), json!(values.value), Some(values.from.to_string()), None)
    });
    fields.chain(totals).chain(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::Limits;

    #[test]
    fn every_limit_says_whose_it_is_and_what_is_left() {
        let group = Scope::Group("a".into());
        let items = BTreeMap::from([
            (Scope::Default, Limits { clusters: Some(1), idle_timeout: Some(60.0), ..Limits::default() }),
            (group.clone(), Limits { total_workers: Some(9), ..Limits::default() }),
            (Scope::User("alice".into()), Limits { cores: Some(4.0), ..Limits::default() }),
        ]);
        let user = Scope::User("alice".into());
        let counts = |clusters, workers, millicores| Counts { clusters, workers, millicores, memory_bytes: 0 };
        let used = BTreeMap::from([(user.clone(), counts(2, 1, 1500)), (group.clone(), counts(2, 4, 0))]);
        let limits = of_effective(&effective("alice", &["a".into()], &items), &user, &used, Some(0.5), Some(3_600_000));
        let lines: Vec<String> = limits
            .iter()
            .filter(|l| !l.limit.is_null())
            .map(|l| {
                format!("{} {} {} {:?} {:?}", l.field, l.limit, l.from.as_deref().unwrap_or_default(), l.used, l.left)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "clusters 1 default Some(2.0) Some(0.0)",
                "cores 4.0 user:alice Some(1.5) Some(2.5)",
                "max_lifetime 3600.0 policy None None",
                "idle_timeout 60.0 default None None",
                "total_workers 9 group:a Some(4.0) Some(5.0)",
            ]
        );
        let budget = limits.iter().find(|l| l.field == "budget").unwrap();
        assert_eq!((budget.limit.clone(), budget.used, budget.left), (Value::Null, Some(0.5), None));
    }
}
