//! What applies to one user: each limit looked up, and whose it is.

use crate::model::{Counts, Limits, Ms, Reason, ReasonCode, Scope};
use serde_json::Value;
use std::collections::BTreeMap;

/// A limit's value, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitValue<T> {
    /// The value.
    pub value: T,
    /// The scope that sets it.
    pub from: Scope,
}

/// What applies to one user: each field looked up user, then group (of several the most generous), then default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effective {
    /// See [`Limits::clusters`].
    pub clusters: Option<LimitValue<i64>>,
    /// See [`Limits::workers`].
    pub workers: Option<LimitValue<i64>>,
    /// See [`Limits::cores`].
    pub cores: Option<LimitValue<f64>>,
    /// See [`Limits::memory`].
    pub memory: Option<LimitValue<u64>>,
    /// See [`Limits::cluster_workers`].
    pub cluster_workers: Option<LimitValue<i64>>,
    /// See [`Limits::cluster_cores`].
    pub cluster_cores: Option<LimitValue<f64>>,
    /// See [`Limits::cluster_memory`].
    pub cluster_memory: Option<LimitValue<u64>>,
    /// The groups' own totals: every one of them applies.
    pub totals: BTreeMap<Scope, Totals>,
    /// Longest life of a cluster.
    pub max_lifetime_ms: Option<LimitValue<Ms>>,
    /// Idle timeout.
    pub idle_timeout_ms: Option<LimitValue<Ms>>,
    /// Spend per calendar month, in US dollars.
    pub budget: Option<LimitValue<f64>>,
    /// Allowed values by option field, each looked up for itself; what several groups allow is put together.
    pub allowed: BTreeMap<String, LimitValue<Vec<Value>>>,
    /// Why the user is frozen.
    pub frozen: Option<LimitValue<String>>,
    /// See [`Limits::unreadable`]: nothing new starts.
    pub unreadable: Option<LimitValue<String>>,
}

/// A group's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// See [`Limits::total_clusters`].
    pub clusters: Option<i64>,
    /// See [`Limits::total_workers`].
    pub workers: Option<i64>,
    /// See [`Limits::total_cores`].
    pub cores: Option<f64>,
    /// See [`Limits::total_memory`].
    pub memory: Option<u64>,
}

fn bound(clusters: Option<i64>, workers: Option<i64>, cores: Option<f64>, memory: Option<u64>) -> Counts {
    let none = Counts::UNBOUNDED;
    Counts {
        clusters: clusters.unwrap_or(none.clusters),
        workers: workers.unwrap_or(none.workers),
        millicores: cores.map_or(none.millicores, |c| (c * 1000.0).round() as i64),
        memory_bytes: memory.map_or(none.memory_bytes, |m| i64::try_from(m).unwrap_or(none.memory_bytes)),
    }
}

impl Effective {
    /// Why nothing new starts while a limit item cannot be read.
    pub fn unreadable(&self) -> Option<Reason> {
        let LimitValue { value, from } = self.unreadable.as_ref()?;
        let message = format!(
            "the limits of {from} cannot be read ({value}): nothing new starts until an administrator mends them"
        );
        Some(Reason::new(ReasonCode::LimitsUnreadable, message))
    }

    /// The most that may be in use under a key the user's clusters are counted under. A missing limit is a very large number.
    pub fn ceiling(&self, scope: &Scope) -> Counts {
        match scope {
            Scope::Group(_) => {
                let t = self.totals.get(scope).copied().unwrap_or_default();
                bound(t.clusters, t.workers, t.cores, t.memory)
            }
            Scope::User(_) | Scope::Default => bound(
                self.clusters.as_ref().map(|l| l.value),
                self.workers.as_ref().map(|l| l.value),
                self.cores.as_ref().map(|l| l.value),
                self.memory.as_ref().map(|l| l.value),
            ),
        }
    }
}

/// Resolves what applies to a user of some groups, from the limit items there are. Longer than a function should be, as it is
/// the list of all fields: a field that is forgotten does not compile.
pub fn effective(user: &str, groups: &[String], items: &BTreeMap<Scope, Limits>) -> Effective {
    let user_scope = Scope::User(user.to_owned());
    let group_scopes: Vec<Scope> = groups.iter().cloned().map(Scope::Group).collect();
    /// One field: the user's, else the most generous of the groups', else the default's.
    fn pick<T: Clone>(
        items: &BTreeMap<Scope, Limits>,
        user: &Scope,
        groups: &[Scope],
        field: impl Fn(&Limits) -> Option<T>,
        more_generous: impl Fn(&T, &T) -> bool,
    ) -> Option<LimitValue<T>> {
        let of =
            |scope: &Scope| items.get(scope).and_then(&field).map(|value| LimitValue { value, from: scope.clone() });
        of(user)
            .or_else(|| {
                groups.iter().filter_map(of).reduce(
                    |best, next| {
                        if more_generous(&next.value, &best.value) { next } else { best }
                    },
                )
            })
            .or_else(|| of(&Scope::Default))
    }
    macro_rules! field {
        ($name:ident) => {
            pick(items, &user_scope, &group_scopes, |l| l.$name, |a, b| a > b)
        };
    }
    let ms = |limit: Option<LimitValue<f64>>| {
        limit.map(|l| LimitValue { value: (l.value * 1000.0).round() as Ms, from: l.from })
    };
    let totals = group_scopes
        .iter()
        .filter_map(|scope| {
            let l = items.get(scope)?;
            let totals = Totals {
                clusters: l.total_clusters,
                workers: l.total_workers,
                cores: l.total_cores,
                memory: l.total_memory,
            };
            (totals != Totals::default()).then(|| (scope.clone(), totals))
        })
        .collect();
    Effective {
        clusters: field!(clusters),
        workers: field!(workers),
        cores: field!(cores),
        memory: field!(memory),
        cluster_workers: field!(cluster_workers),
        cluster_cores: field!(cluster_cores),
        cluster_memory: field!(cluster_memory),
        totals,
        max_lifetime_ms: ms(field!(max_lifetime)),
        // 0 means "never", the most generous of all
        idle_timeout_ms: ms(pick(
            items,
            &user_scope,
            &group_scopes,
            |l| l.idle_timeout,
            |a, b| *a == 0.0 || (*b != 0.0 && a > b),
        )),
        budget: field!(budget),
        allowed: allowed(&user_scope, &group_scopes, items),
        frozen: pick(items, &user_scope, &group_scopes, |l| l.frozen.clone(), |_, _| false),
        unreadable: pick(items, &user_scope, &group_scopes, |l| l.unreadable.clone(), |_, _| false),
    }
}

/// The user's list, else all that their groups allow (said to be of the first of them), else the default's.
fn allowed(
    user: &Scope,
    groups: &[Scope],
    items: &BTreeMap<Scope, Limits>,
) -> BTreeMap<String, LimitValue<Vec<Value>>> {
    let of = |scope: &Scope| items.get(scope).and_then(|limits| limits.allowed.as_ref());
    let mut found: BTreeMap<String, LimitValue<Vec<Value>>> = BTreeMap::new();
    let own = of(user).into_iter().flatten();
    found.extend(own.map(|(f, values)| (f.clone(), LimitValue { value: values.clone(), from: user.clone() })));
    let mut by_groups: BTreeMap<String, LimitValue<Vec<Value>>> = BTreeMap::new();
    for group in groups {
        for (field, values) in of(group).into_iter().flatten() {
            let none = || LimitValue { value: Vec::new(), from: group.clone() };
            let all = &mut by_groups.entry(field.clone()).or_insert_with(none).value;
            all.extend(values.iter().filter(|v| !all.contains(v)).cloned().collect::<Vec<_>>());
        }
    }
    let default = of(&Scope::Default).into_iter().flatten();
    let default = default.map(|(f, values)| (f.clone(), LimitValue { value: values.clone(), from: Scope::Default }));
    for (field, values) in by_groups.into_iter().chain(default) {
        found.entry(field).or_insert(values);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &[(&str, Limits)]) -> BTreeMap<Scope, Limits> {
        list.iter()
            .map(|(scope, limits)| (Scope::try_from((*scope).to_owned()).expect("a scope"), limits.clone()))
            .collect()
    }

    #[test]
    fn seconds_are_kept_to_the_millisecond() {
        let items = items(&[("default", Limits { max_lifetime: Some(1.5), ..Limits::default() })]);
        let got = effective("alice", &[], &items).max_lifetime_ms.map(|limit| limit.value);
        assert_eq!(got, Some(1_500));
    }

    #[test]
    fn of_two_groups_the_longer_idle_timeout_holds() {
        let limits = |seconds| Limits { idle_timeout: Some(seconds), ..Limits::default() };
        let of = |a, b| {
            let items = items(&[("group:a", limits(a)), ("group:b", limits(b))]);
            effective("alice", &["a".into(), "b".into()], &items).idle_timeout_ms.map(|limit| limit.value)
        };
        assert_eq!((of(60.0, 300.0), of(300.0, 60.0)), (Some(300_000), Some(300_000)));
        assert_eq!((of(0.0, 60.0), of(60.0, 0.0)), (Some(0), Some(0)), "never is the longest");
    }

    #[test]
    fn of_two_groups_that_allow_the_same_the_first_is_named() {
        let limits = Limits { idle_timeout: Some(60.0), clusters: Some(2), ..Limits::default() };
        let items = items(&[("group:a", limits.clone()), ("group:b", limits)]);
        let got = effective("alice", &["a".into(), "b".into()], &items);
        let first = Scope::Group("a".into());
        assert_eq!(got.idle_timeout_ms.expect("a limit").from, first);
        assert_eq!(got.clusters.expect("a limit").from, first);
    }

    #[test]
    fn each_field_is_the_users_then_the_most_generous_groups_then_the_default() {
        let limits = |clusters, workers| Limits { clusters, workers, ..Limits::default() };
        let items = items(&[
            ("default", Limits { cores: Some(4.0), ..limits(Some(1), Some(2)) }),
            ("group:a", limits(Some(3), Some(5))),
            ("group:b", limits(Some(7), None)),
            ("user:alice", limits(None, Some(1))),
        ]);
        let got = effective("alice", &["a".into(), "b".into()], &items);
        assert_eq!(got.clusters, Some(LimitValue { value: 7, from: Scope::Group("b".into()) }));
        assert_eq!(got.workers, Some(LimitValue { value: 1, from: Scope::User("alice".into()) }));
        assert_eq!(got.cores, Some(LimitValue { value: 4.0, from: Scope::Default }));
        assert_eq!(got.memory, None);
    }

    #[test]
    fn a_groups_totals_apply_beside_the_users_own() {
        let items = items(&[
            ("group:a", Limits { total_workers: Some(9), ..Limits::default() }),
            ("user:alice", Limits { workers: Some(4), ..Limits::default() }),
        ]);
        let got = effective("alice", &["a".into()], &items);
        assert_eq!(got.ceiling(&Scope::User("alice".into())).workers, 4);
        assert_eq!(got.ceiling(&Scope::Group("a".into())).workers, 9);
        assert_eq!(got.ceiling(&Scope::Group("a".into())).clusters, Counts::UNBOUNDED.clusters);
    }

    #[test]
    fn an_item_that_nobody_can_read_counts_for_all_whom_it_is_about() {
        let unreadable = Limits { unreadable: Some("`clusters` is odd".into()), ..Limits::default() };
        let items = items(&[("group:a", unreadable)]);
        let reason = effective("alice", &["a".into()], &items).unreadable().unwrap();
        assert_eq!(
            reason.message,
            "the limits of group:a cannot be read (`clusters` is odd): nothing new starts until an administrator mends them"
        );
        assert_eq!(effective("bob", &[], &items).unreadable(), None);
    }

    #[test]
    fn what_groups_allow_is_put_together() {
        let allow = |field: &str, values: &[&str]| Limits {
            allowed: Some(BTreeMap::from([(field.to_owned(), values.iter().map(|v| Value::from(*v)).collect())])),
            ..Limits::default()
        };
        let items = items(&[
            ("default", allow("profile", &["small"])),
            ("group:a", allow("profile", &["small", "medium"])),
            ("group:b", allow("profile", &["large"])),
            ("user:alice", allow("image", &["mine"])),
        ]);
        let got = effective("alice", &["a".into(), "b".into()], &items).allowed;
        assert_eq!(got["profile"].value, ["small", "medium", "large"]);
        assert_eq!(got["image"], LimitValue { value: vec!["mine".into()], from: Scope::User("alice".into()) });
        assert_eq!(effective("bob", &[], &items).allowed["profile"].value, ["small"]);
    }
}
