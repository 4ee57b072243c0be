//! Limit items as a store finds them: edited by hand, and perhaps wrongly.

use crate::model::{Limits, Scope};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a store last read of each item.
#[derive(Default)]
pub struct KnownLimits {
    good: BTreeMap<Scope, Limits>,
    /// Items that could not be read, and were reported: once for each edit.
    reported: BTreeMap<String, Value>,
}

impl KnownLimits {
    /// Reads the items: each scope with what stands there. A malformed one is reported, and its last good value stays in force.
    pub fn read(&mut self, items: Vec<(String, Value)>) -> BTreeMap<Scope, Limits> {
        let mut limits = BTreeMap::new();
        let mut malformed = BTreeMap::new();
        for (sort, value) in items {
            match parse(&sort, &value) {
                Ok((scope, read)) => {
                    self.good.insert(scope.clone(), read.clone());
                    limits.insert(scope, read);
                }
                Err(problem) => {
                    if self.reported.get(&sort) != Some(&value) {
                        tracing::error!(
                            item = sort,
                            problem,
                            "limits cannot be read; the last good value stays in force"
                        );
                    }
                    if let Ok(scope) = Scope::try_from(sort.clone())
                        && let Some(value) = self.good.get(&scope)
                    {
                        limits.insert(scope, value.clone());
                    }
                    malformed.insert(sort, value);
                }
            }
        }
        self.reported = malformed;
        self.good.retain(|scope, _| limits.contains_key(scope));
        limits
    }
}

fn parse(sort: &str, value: &Value) -> Result<(Scope, Limits), String> {
    let scope = Scope::try_from(sort.to_owned())?;
    if !value.is_object() {
        return Err("it is no object".into());
    }
    let limits = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
    Ok((scope, limits))
}
