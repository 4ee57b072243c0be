//! Who is in a storm, and what they may have.

use faregate_core::limits::{Effective, effective};
use faregate_core::model::{ClusterConfig, Counts, Limits, Scope, format_size};
use faregate_core::options::Options;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const USERS: usize = 20;
const GROUPS: usize = 5;
const GIB: u64 = 1 << 30;

/// Users, their groups, and the limits.
#[derive(Clone, Debug)]
pub struct People {
    /// Each with their groups.
    pub users: BTreeMap<String, Vec<String>>,
    /// The limit items.
    pub limits: BTreeMap<Scope, Limits>,
}

impl Default for People {
    /// Each in one group, every fourth in two. All have limits of every kind; whose is the tightest differs.
    fn default() -> Self {
        let group = |n: usize| format!("group-{}", n % GROUPS);
        let user = |n: usize| {
            let second = n.is_multiple_of(4).then(|| group(n + 2));
            let groups: BTreeSet<String> = [group(n)].into_iter().chain(second).collect();
            (format!("user-{n:02}"), groups.into_iter().collect())
        };
        let none = Limits::default;
        let default = Limits {
            clusters: Some(2),
            workers: Some(3),
            cores: Some(4.0),
            memory: Some(8 * GIB),
            cluster_workers: Some(3),
            ..none()
        };
        let limits = [
            ("default", default),
            ("user:user-01", Limits { cores: Some(2.0), ..none() }),
            ("user:user-02", Limits { memory: Some(4 * GIB), ..none() }),
            ("user:user-03", Limits { clusters: Some(1), workers: Some(2), ..none() }),
            ("user:user-07", Limits { clusters: Some(3), cluster_workers: Some(1), ..none() }),
            ("group:group-0", Limits { total_clusters: Some(5), total_workers: Some(5), ..none() }),
            ("group:group-1", Limits { total_workers: Some(4), workers: Some(2), ..none() }),
            ("group:group-2", Limits { total_cores: Some(5.0), total_clusters: Some(6), ..none() }),
            ("group:group-3", Limits { total_memory: Some(11 * GIB), clusters: Some(3), ..none() }),
            (
                "group:group-4",
                Limits {
                    total_clusters: Some(4),
                    total_workers: Some(5),
                    total_cores: Some(6.0),
                    total_memory: Some(12 * GIB),
                    ..none()
                },
            ),
        ];
        let limits = limits.map(|(scope, limits)| (Scope::try_from(scope.to_owned()).unwrap(), limits));
        People { users: (0..USERS).map(user).collect(), limits: limits.into() }
    }
}

/// Small and large workers, so that cores and memory are other limits than the number of workers.
pub fn choices() -> Options {
    let size = json!({"field": "size", "type": "select", "options": [
        {"key": "small", "set": {"worker_cores": 1, "worker_memory": "2 G"}},
        {"key": "large", "set": {"worker_cores": 2, "worker_memory": "4 G"}},
    ]});
    Options::declare(&[size], &ClusterConfig::default()).unwrap()
}

impl People {
    /// Who is in which group.
    pub fn groups(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (user, theirs) in &self.users {
            for group in theirs {
                groups.entry(group.clone()).or_default().insert(user.clone());
            }
        }
        groups
    }

    /// Whatever is counted for a user.
    pub fn keys(&self, user: &str) -> Vec<Scope> {
        let groups = self.users[user].iter().cloned().map(Scope::Group);
        [Scope::User(user.to_owned())].into_iter().chain(groups).collect()
    }

    /// All counters, and the most that each may say.
    pub fn ceilings(&self) -> BTreeMap<Scope, Counts> {
        let of = |user: &String| {
            let limits = self.effective(user);
            self.keys(user).into_iter().map(move |key| (key.clone(), limits.ceiling(&key)))
        };
        self.users.keys().flat_map(of).collect()
    }

    /// Every way to name a limit of a user, its value and whose it is.
    pub fn names(&self, user: &str) -> Vec<String> {
        let own = [Scope::Default, Scope::User(user.to_owned())];
        let scopes = own.into_iter().chain(self.keys(user));
        let named = |scope: Scope| {
            let limits = self.limits.get(&scope).map(|limits| serde_json::to_value(limits).unwrap());
            let Some(Value::Object(fields)) = limits else { return Vec::new() };
            let set = fields.into_iter().filter(|(_, value)| !value.is_null());
            set.map(|(field, value)| format!("`{field}` = {} of {scope}", text(&field, &value))).collect()
        };
        scopes.flat_map(named).collect()
    }

    fn effective(&self, user: &str) -> Effective {
        effective(user, &self.users[user], &self.limits)
    }
}

/// As people read it.
fn text(field: &str, value: &Value) -> String {
    match value.as_u64() {
        Some(bytes) if field.contains("memory") => format_size(bytes),
        _ => value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_users_in_five_groups_have_limits_of_every_kind() {
        let people = People::default();
        assert_eq!((people.users.len(), people.groups().len(), people.ceilings().len()), (20, 5, 25));
        let names = people.names("user-01");
        assert!(names.contains(&"`cores` = 2 of user:user-01".to_owned()), "{names:?}");
        assert!(people.names("user-02").contains(&"`memory` = 4 GiB of user:user-02".to_owned()));
        let limited = |n: fn(&Counts) -> i64, scope: &str| {
            let scope = Scope::try_from(scope.to_owned()).unwrap();
            n(&people.ceilings()[&scope]) < n(&Counts::UNBOUNDED)
        };
        assert!(limited(|c| c.clusters, "group:group-4") && limited(|c| c.memory_bytes, "group:group-3"));
        assert!(limited(|c| c.millicores, "user:user-19"));
    }
}
