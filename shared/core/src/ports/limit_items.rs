//! Limit items as a store finds them: edited by hand, and perhaps wrongly.

use crate::model::{Limits, Scope};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The attributes of an item, each with its value, or what is wrong with it.
pub type Attributes = Vec<(String, Result<Value, String>)>;

/// What is in force, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitItems {
    /// What is in force. Of an item that is broken: what can be read of it, and for the rest what was last in force, where that is
    /// kept. Where nothing of it can be read and nothing is kept, [`Limits::unreadable`].
    pub in_force: BTreeMap<Scope, Limits>,
    /// Items that cannot be read as a whole, by their sort key as it stands there, and what is wrong with them.
    pub broken: BTreeMap<String, String>,
}

impl LimitItems {
    /// Reads the items by their sort keys: each is a JSON object, or what is wrong with it already.
    pub fn read(items: impl IntoIterator<Item = (String, Result<Value, String>)>) -> Self {
        Self::read_attributes(items.into_iter().map(|(sort, value)| {
            let attributes = value.and_then(|value| match value {
                Value::Object(fields) => Ok(fields.into_iter().map(|(name, value)| (name, Ok(value))).collect()),
                _ => Err("`limits` are no object".to_owned()),
            });
            (sort, attributes)
        }))
    }

    /// Reads the items by their sort keys, attribute by attribute.
    pub fn read_attributes(items: impl IntoIterator<Item = (String, Result<Attributes, String>)>) -> Self {
        let mut read = LimitItems::default();
        let (exact, blanks): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|(sort, _)| Scope::typed(sort).is_ok_and(|scope| scope.to_string() == *sort));
        for (sort, attributes) in exact.into_iter().chain(blanks) {
            match Scope::typed(&sort) {
                Ok(scope) if read.in_force.contains_key(&scope) => {
                    let problem =
                        format!("names `{scope}`, of which there is another item, which counts: remove this one");
                    read.broken.insert(sort, problem);
                }
                Ok(scope) => {
                    let (limits, problem) = read_item(attributes);
                    read.in_force.insert(scope, limits);
                    read.broken.extend(problem.map(|problem| (sort, problem)));
                }
                Err(problem) => drop(read.broken.insert(sort, problem)),
            }
        }
        read
    }

    /// Puts the last good value in force of what cannot be read of each broken item.
    pub fn fall_back(&mut self, kept: &LimitItems) {
        for sort in self.broken.keys() {
            if let Ok(scope) = Scope::typed(sort)
                && let Some(last) = kept.in_force.get(&scope).filter(|last| last.unreadable.is_none())
                && let Some(limits) = self.in_force.get_mut(&scope)
            {
                *limits = last.overlaid_by(limits);
            }
        }
    }

    /// What makes the kept copies those of these items: by sort key, the limits to write; none = to forget. An item of which nothing can
    /// be read keeps its copy, one that is gone loses it.
    pub fn to_keep(&self, kept: &LimitItems) -> Vec<(String, Option<&Limits>)> {
        let good = self.in_force.iter().filter(|(_, limits)| limits.unreadable.is_none());
        let differs = good.filter(|(scope, limits)| kept.in_force.get(scope) != Some(limits));
        let mut changes: Vec<_> = differs.map(|(scope, limits)| (scope.to_string(), Some(limits))).collect();
        let copies = kept.in_force.keys().map(Scope::to_string).chain(kept.broken.keys().cloned());
        let mut gone: Vec<String> =
            copies.filter(|sort| !Scope::typed(sort).is_ok_and(|scope| self.in_force.contains_key(&scope))).collect();
        gone.dedup();
        changes.extend(gone.into_iter().map(|sort| (sort, None)));
        changes
    }
}

/// What can be read of an item, and what is wrong with the rest.
fn read_item(attributes: Result<Attributes, String>) -> (Limits, Option<String>) {
    let unreadable = |problem: String| Limits { unreadable: Some(problem), ..Limits::default() };
    let attributes = match attributes {
        Ok(attributes) => attributes,
        Err(problem) => return (unreadable(problem.clone()), Some(problem)),
    };
    let (mut fields, mut problems, mut said) = (Map::new(), Vec::new(), Vec::new());
    for (name, value) in attributes {
        match value {
            Ok(value) => drop(fields.insert(name, value)),
            Err(problem) => {
                problems.push(problem);
                said.push(name.trim().to_owned());
            }
        }
    }
    let (limits, invalid) = Limits::read_each(&fields);
    said.extend(invalid.iter().map(|invalid| invalid.field.clone()));
    problems.extend(invalid.iter().map(ToString::to_string));
    if problems.is_empty() {
        return (limits, None);
    }
    let problem = problems.join("; ");
    // a freeze that cannot be read is one nevertheless, of what is new
    if limits == Limits::default() || said.iter().any(|field| field == "frozen") {
        return (Limits { unreadable: Some(problem.clone()), ..limits }, Some(problem));
    }
    (limits, Some(problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(items: &[(&str, Value)]) -> LimitItems {
        LimitItems::read(items.iter().map(|(sort, value)| ((*sort).to_owned(), Ok(value.clone()))))
    }

    fn user(name: &str) -> Scope {
        Scope::User(name.to_owned())
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
    fn what_is_good_of_a_broken_item_holds_and_the_rest_is_as_it_last_was() {
        let item = json!({"clusters": "many", "workers": 3});
        let mut items = read(&[("user:a", item.clone()), ("user:b", item)]);
        items.fall_back(&read(&[("user:a", json!({"clusters": 2, "workers": 9, "cores": 4}))]));
        let of = |name: &str| items.in_force[&user(name)].clone();
        assert_eq!(of("a"), Limits { clusters: Some(2), workers: Some(3), cores: Some(4.0), ..Limits::default() });
        assert_eq!(of("b"), Limits { workers: Some(3), ..Limits::default() }, "none is kept");
        assert_eq!(items.broken.len(), 2);
    }

    #[test]
    fn an_item_of_which_nothing_can_be_read_says_so_unless_its_last_good_value_is_kept() {
        for item in
            [json!({"clusters": "many"}), json!({"clutsers": 2}), json!([]), json!({"frozen": true, "workers": 2})]
        {
            let mut items = read(&[("user:a", item.clone()), ("user:b", item.clone())]);
            items.fall_back(&read(&[("user:b", json!({"clusters": 2}))]));
            assert_eq!(items.in_force[&user("a")].unreadable, items.broken.get("user:a").cloned(), "{item}");
            assert_eq!((&items.in_force[&user("b")].unreadable, items.in_force[&user("b")].clusters), (&None, Some(2)));
            // nothing is kept of it: it would be its last good value
            assert!(items.to_keep(&LimitItems::default()).iter().all(|(sort, _)| sort != "user:a"), "{item}");
        }
        assert_eq!(read(&[("user:a", json!({}))]).in_force[&user("a")], Limits::default());
    }

    #[test]
    fn blanks_around_a_name_are_none_of_it_and_of_two_items_the_exact_one_counts() {
        let items = read(&[
            ("user: lou ", json!({"clusters": "1"})),
            ("group:a", json!({})),
            (" group:a", json!({"workers": 1})),
        ]);
        assert_eq!(items.in_force[&user("lou")].clusters, Some(1));
        assert_eq!(items.in_force[&Scope::Group("a".into())], Limits::default());
        let broken: Vec<_> = items.broken.keys().map(String::as_str).collect();
        assert_eq!(broken, [" group:a"]);
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
