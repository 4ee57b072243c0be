//! Limit items as a store finds them: edited by hand, and perhaps wrongly.

use crate::model::{Limits, Scope};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is in force, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitItems {
    /// What is in force. An item that cannot be read counts with its last good value, where one is kept.
    pub in_force: BTreeMap<Scope, Limits>,
    /// Items that cannot be read, by their sort key, and what is wrong with them.
    pub broken: BTreeMap<String, String>,
}

impl LimitItems {
    /// Reads the items by their sort keys: each is a JSON object, or what is wrong with it already.
    pub fn read(items: impl IntoIterator<Item = (String, Result<Value, String>)>) -> Self {
        let mut read = LimitItems::default();
        for (sort, value) in items {
            let parsed = value.and_then(|value| {
                let limits = Limits::read(&value).map_err(|e| e.to_string())?;
                Ok((Scope::try_from(sort.clone())?, limits))
            });
            match parsed {
                Ok((scope, limits)) => drop(read.in_force.insert(scope, limits)),
                Err(problem) => drop(read.broken.insert(sort, problem)),
            }
        }
        read
    }

    /// Puts the last good value of each broken item in force.
    pub fn fall_back(&mut self, kept: &LimitItems) {
        for sort in self.broken.keys() {
            if let Ok(scope) = Scope::try_from(sort.clone())
                && let Some(limits) = kept.in_force.get(&scope)
            {
                self.in_force.insert(scope, limits.clone());
            }
        }
    }

    /// What makes the kept copies those of these items: by sort key, the limits to write; none = to forget. A broken item keeps its
    /// copy, one that is gone loses it.
    pub fn to_keep(&self, kept: &LimitItems) -> Vec<(String, Option<&Limits>)> {
        let differs = self.in_force.iter().filter(|(scope, limits)| kept.in_force.get(scope) != Some(limits));
        let mut changes: Vec<_> = differs.map(|(scope, limits)| (scope.to_string(), Some(limits))).collect();
        let copies = kept.in_force.keys().map(Scope::to_string).chain(kept.broken.keys().cloned());
        let here = |sort: &String| {
            self.broken.contains_key(sort)
                || Scope::try_from(sort.clone()).is_ok_and(|scope| self.in_force.contains_key(&scope))
        };
        changes.extend(copies.filter(|sort| !here(sort)).map(|sort| (sort, None)));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(items: &[(&str, Value)]) -> LimitItems {
        LimitItems::read(items.iter().map(|(sort, value)| ((*sort).to_owned(), Ok(value.clone()))))
    }

    #[test]
    fn what_cannot_be_read_is_named_and_its_last_good_value_counts() {
        let mut items =
            read(&[("default", json!({"clusters": -1})), ("user:a", json!({"workers": 3})), ("users:b", json!({}))]);
        items.fall_back(&read(&[("default", json!({"clusters": 2})), ("user:a", json!({"workers": 1}))]));
        let problems: Vec<_> = items.broken.values().map(String::as_str).collect();
        assert_eq!(
            problems,
            [
                "`clusters` must be 0 or more, not -1",
                "`users:b` is neither `default` nor `group:<name>` nor `user:<name>`"
            ]
        );
        assert_eq!(
            items.in_force,
            read(&[("default", json!({"clusters": 2})), ("user:a", json!({"workers": 3}))]).in_force
        );
        let binary = LimitItems::read([("default".to_owned(), Err("`clusters` is binary".to_owned()))]);
        assert_eq!(binary.broken["default"], "`clusters` is binary");
    }

    #[test]
    fn only_what_differs_is_kept_anew() {
        let same = json!({"clusters": 2});
        let kept = read(&[("default", same.clone()), ("group:gone", same.clone()), ("user:a", same.clone())]);
        let mut items =
            read(&[("default", same.clone()), ("user:a", json!({"clusters": "x"})), ("user:b", same.clone())]);
        items.fall_back(&kept);
        let changes: Vec<_> = items.to_keep(&kept).into_iter().map(|(sort, limits)| (sort, limits.is_some())).collect();
        assert_eq!(changes, [("user:b".to_owned(), true), ("group:gone".to_owned(), false)]);
        // a copy that cannot be read is written again, or forgotten
        let spoilt =
            read(&[("default", json!([])), ("group:gone", json!([])), ("user:a", same.clone()), ("user:b", same)]);
        let changes: Vec<_> =
            items.to_keep(&spoilt).into_iter().map(|(sort, limits)| (sort, limits.is_some())).collect();
        assert_eq!(changes, [("default".to_owned(), true), ("group:gone".to_owned(), false)]);
    }
}
