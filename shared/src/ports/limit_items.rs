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
    /// Reads the items, each scope with what stands there.
    pub fn read(items: Vec<(String, Value)>) -> Self {
        let mut read = LimitItems::default();
        for (sort, value) in items {
            let parsed = Scope::try_from(sort.clone())
                .and_then(|scope| Limits::read(&value).map(|limits| (scope, limits)).map_err(|e| e.to_string()));
            match parsed {
                Ok((scope, limits)) => drop(read.in_force.insert(scope, limits)),
                Err(problem) => drop(read.broken.insert(sort, problem)),
            }
        }
        read
    }

    /// Puts the last good value of each broken item in force.
    pub fn fall_back(&mut self, kept: &BTreeMap<Scope, Limits>) {
        for sort in self.broken.keys() {
            if let Ok(scope) = Scope::try_from(sort.clone())
                && let Some(limits) = kept.get(&scope)
            {
                self.in_force.insert(scope, limits.clone());
            }
        }
    }
}
