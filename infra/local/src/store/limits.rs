//! Limit items as they are found: edited by hand, and perhaps wrongly.

use super::rows::Row;
use faregate::model::{Limits, Scope};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was last read of each item.
#[derive(Default)]
pub(super) struct KnownLimits {
    good: BTreeMap<Scope, Limits>,
    /// Items that could not be read, and were reported: once for each edit.
    reported: BTreeMap<String, Vec<u8>>,
}

impl KnownLimits {
    /// Reads the items. A malformed one is reported, and its last good value stays in force.
    pub fn read(&mut self, rows: Vec<Row>) -> BTreeMap<Scope, Limits> {
        let mut limits = BTreeMap::new();
        let mut malformed = BTreeMap::new();
        for row in rows {
            match parse(&row) {
                Ok((scope, value)) => {
                    self.good.insert(scope.clone(), value.clone());
                    limits.insert(scope, value);
                }
                Err(problem) => {
                    if self.reported.get(&row.sort) != Some(&row.body) {
                        tracing::error!(
                            item = row.sort,
                            problem,
                            "limits cannot be read; the last good value stays in force"
                        );
                    }
                    if let Ok(scope) = Scope::try_from(row.sort.clone())
                        && let Some(value) = self.good.get(&scope)
                    {
                        limits.insert(scope, value.clone());
                    }
                    malformed.insert(row.sort, row.body);
                }
            }
        }
        self.reported = malformed;
        self.good.retain(|scope, _| limits.contains_key(scope));
        limits
    }
}

fn parse(row: &Row) -> Result<(Scope, Limits), String> {
    let scope = Scope::try_from(row.sort.clone())?;
    let value: Value = serde_json::from_slice(&row.body).map_err(|e| e.to_string())?;
    if !value.is_object() {
        return Err("it is no object".into());
    }
    let limits = serde_json::from_value(value).map_err(|e| e.to_string())?;
    Ok((scope, limits))
}
