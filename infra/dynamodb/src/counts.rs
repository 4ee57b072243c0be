//! Counters: changed on a condition, in the transaction of what they count.

use crate::DynamoStore;
use crate::items::{Item, key, number};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use faregate_core::model::{Counts, Key, Ms, PaceStep, Record, Scope, Usage, Version};
use faregate_core::ports::{Expect, StoreError, TransactError, Write};
use std::collections::HashMap;

/// An update expression, its condition, and what both speak of.
pub(crate) struct CountUpdate {
    key: Item,
    update: String,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

/// No raised count may exceed the ceiling, none may fall below zero; an absent counter is zero.
pub(crate) fn count_update(
    scope: &Scope,
    delta: Counts,
    ceiling: Counts,
    now: Ms,
    pace: Option<PaceStep>,
) -> CountUpdate {
    let mut values: HashMap<String, AttributeValue> =
        [(":zero", number(0)), (":one", number(1)), (":now", number(now))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    let mut names: HashMap<String, String> =
        ["version", "changed_at"].map(|name| (format!("#{name}"), name.to_owned())).into();
    let mut sets = vec!["#version = if_not_exists(#version, :zero) + :one".to_owned(), "#changed_at = :now".to_owned()];
    let mut conditions = Vec::new();
    let free = Counts::UNBOUNDED;
    for (name, delta, ceiling, free) in [
        ("clusters", delta.clusters, ceiling.clusters, free.clusters),
        ("workers", delta.workers, ceiling.workers, free.workers),
        ("millicores", delta.millicores, ceiling.millicores, free.millicores),
        ("memory_bytes", delta.memory_bytes, ceiling.memory_bytes, free.memory_bytes),
    ] {
        sets.push(format!("#{name} = if_not_exists(#{name}, :zero) + :{name}"));
        names.insert(format!("#{name}"), name.to_owned());
        values.insert(format!(":{name}"), number(delta));
        if delta > 0 && ceiling < free {
            let most = ceiling.saturating_sub(delta);
            values.insert(format!(":{name}_most"), number(most));
            let absent = if most >= 0 { "attribute_not_exists(pk) OR " } else { "" };
            conditions.push(format!("({absent}#{name} <= :{name}_most)"));
        } else if delta < 0 {
            values.insert(format!(":{name}_least"), number(delta.saturating_neg()));
            conditions.push(format!("#{name} >= :{name}_least"));
        }
    }
    if let Some(step) = pace {
        names.insert("#paid_at".into(), "paid_at".into());
        let numbers = match step {
            PaceStep::First { now, most, to } => {
                sets.push("#paid_at = :paid_to".into());
                let fits = "(attribute_not_exists(#paid_at) OR #paid_at <= :paid_now OR #paid_at > :paid_most)";
                conditions.push(fits.into());
                [(":paid_now", now), (":paid_most", most), (":paid_to", to)]
            }
            PaceStep::Further { after, until, by } => {
                sets.push("#paid_at = #paid_at + :paid_by".into());
                conditions.push("#paid_at > :paid_after AND #paid_at <= :paid_until".into());
                [(":paid_after", after), (":paid_until", until), (":paid_by", by)]
            }
        };
        values.extend(numbers.map(|(name, value)| (name.to_owned(), number(value))));
    }
    let condition = (!conditions.is_empty()).then(|| conditions.join(" AND "));
    CountUpdate { key: key(&Key::usage(scope)), update: format!("SET {}", sets.join(", ")), condition, names, values }
}

impl CountUpdate {
    /// As a part of a transaction.
    pub fn in_transaction(self, table: &str) -> Result<Update, StoreError> {
        Update::builder()
            .table_name(table)
            .set_key(Some(self.key))
            .update_expression(self.update)
            .set_condition_expression(self.condition)
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values(Some(self.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|e| StoreError::Failed(e.to_string()))
    }
}

impl DynamoStore {
    pub(crate) async fn write_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        self.write_all(&[Write::Put { record: Record::Usage(usage.clone()), expect }]).await
    }
}
