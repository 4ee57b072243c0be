//! A change of one scope's limits, decided without I/O.

use faregate_core::model::{InvalidLimits, Limits, Scope};
use faregate_core::ports::LimitItems;
use serde_json::{Map, Value};

/// Fields to set, and fields to take away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitsChange {
    /// Fields and their values, as in an item.
    pub set: Map<String, Value>,
    /// Names of fields.
    pub unset: Vec<String>,
}

/// Why limits stay as they are.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is nothing to do.
    #[error("nothing is to be changed: name fields to set or to unset")]
    Nothing,
    /// The item would not be a good one.
    #[error(transparent)]
    Invalid(#[from] InvalidLimits),
    /// The item cannot be read, and taking away does not make it whole.
    #[error(
        "the item `{scope}` is broken: {problem}. It is in force as it last was. Only a change that sets something writes it anew: \
         what was last in force, with what is set"
    )]
    Broken {
        /// Whose item.
        scope: Scope,
        /// What is wrong with it.
        problem: String,
    },
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The scope's limits before, as they were in force.
    pub before: Limits,
    /// The scope's limits from now on; none when nothing is left of them.
    pub after: Option<Limits>,
    /// What was wrong with the item that they replace.
    pub replaces: Option<String>,
}

impl LimitsChange {
    /// What becomes of a scope's item. One that is broken is replaced, by what was last in force and what is set.
    pub fn decide(&self, scope: &Scope, items: &LimitItems) -> Result<Decided, ChangeError> {
        if self.set.is_empty() && self.unset.is_empty() {
            return Err(ChangeError::Nothing);
        }
        let before = items.in_force.get(scope).cloned().unwrap_or_default();
        let replaces = items.broken.get(&scope.to_string()).cloned();
        let before = Limits { unreadable: None, ..before };
        let after = before.with(&self.set, &self.unset)?;
        if let Some(problem) = &replaces
            && self.set.is_empty()
        {
            return Err(ChangeError::Broken { scope: scope.clone(), problem: problem.clone() });
        }
        let after = Some(after).filter(|limits| *limits != Limits::default());
        Ok(Decided { before, after, replaces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(set: Value, unset: &[&str]) -> LimitsChange {
        let Value::Object(set) = set else { panic!("an object") };
        LimitsChange { set, unset: unset.iter().map(|field| (*field).to_owned()).collect() }
    }

    fn items(item: Value, broken: bool) -> LimitItems {
        let alice = "user:alice".to_owned();
        let mut items = LimitItems::read([(alice.clone(), Ok(item))]);
        if broken {
            items.broken.insert(alice, "`memory` is odd".into());
        }
        items
    }

    fn alice() -> Scope {
        Scope::User("alice".into())
    }

    #[test]
    fn nothing_that_is_left_is_no_item() {
        let items = items(json!({"clusters": 2}), false);
        assert_eq!(change(json!({}), &["clusters"]).decide(&alice(), &items).unwrap().after, None);
        let after = change(json!({"workers": 1}), &["clusters"]).decide(&alice(), &items).unwrap().after;
        assert_eq!(after, Some(Limits { workers: Some(1), ..Limits::default() }));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let items = items(json!({"clusters": 2}), false);
        let refused = |change: LimitsChange| change.decide(&alice(), &items).unwrap_err().to_string();
        assert_eq!(refused(change(json!({}), &[])), "nothing is to be changed: name fields to set or to unset");
        assert_eq!(refused(change(json!({"clusters": -1}), &[])), "`clusters` must be 0 or more, not -1");
        assert_eq!(refused(change(json!({"clustres": 1}), &[])), "`clustres` is no limit; did you mean `clusters`?");
        assert_eq!(refused(change(json!({}), &["clustres"])), "`clustres` is no limit; did you mean `clusters`?");
    }

    #[test]
    fn a_broken_item_is_replaced_only_by_a_change_that_sets_something() {
        let items = items(json!({"clusters": 2}), true);
        let refused = change(json!({}), &["clusters"]).decide(&alice(), &items).unwrap_err();
        assert!(refused.to_string().starts_with("the item `user:alice` is broken: `memory` is odd."), "{refused}");
        let decided = change(json!({"memory": "1 G"}), &[]).decide(&alice(), &items).unwrap();
        assert_eq!(decided.after, Some(Limits { clusters: Some(2), memory: Some(1 << 30), ..Limits::default() }));
        assert_eq!(decided.replaces.as_deref(), Some("`memory` is odd"));
    }
}
