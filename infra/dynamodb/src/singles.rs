//! The writes that are promised to be one: a heartbeat without news, a stop.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, cluster, cluster_fields, heartbeat, key, number, text};
use crate::transact::is_contention;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use faregate_core::model::{Cluster, ClusterName, Key, Ms, Sealed, Stored};
use faregate_core::ports::{StopRequest, StoreError, Touch, TransactError};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Tries of a write that meets transactions at its item, each of which takes milliseconds.
const TRIES: u32 = 8;

/// A transaction was at the item: nothing was written, and the SDK does not try again by itself.
fn meets_a_transaction(error: &UpdateItemError) -> bool {
    error.meta().code() == Some("TransactionConflictException")
}

/// Up to 20 ms at first, then twice as long each time.
fn full_jitter(tries: u32) -> Duration {
    let random = RandomState::new().hash_one(tries);
    Duration::from_millis(random % (10 << tries))
}

/// What a conditional update found.
enum Updated {
    /// The item afterwards.
    Yes(Item),
    /// The condition did not hold for this item.
    No(Item),
    Missing,
}

/// A conditional update of one item.
struct Change {
    key: Key,
    update: String,
    condition: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl DynamoStore {
    async fn change(&self, change: Change) -> Result<Updated, TransactError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&change.key)))
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut tries = 0;
        let outcome = loop {
            let outcome = update.clone().send().await;
            tries += 1;
            match &outcome {
                Err(SdkError::ServiceError(error)) if tries < TRIES && meets_a_transaction(error.err()) => {
                    tokio::time::sleep(full_jitter(tries)).await;
                }
                _ => break outcome,
            }
        };
        match outcome {
            Ok(output) => output
                .attributes
                .map(Updated::Yes)
                .ok_or_else(|| StoreError::Failed("UpdateItem: no item".into()).into()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let UpdateItemError::ConditionalCheckFailedException(failed) = error.into_err() else {
                    return Ok(Updated::Missing);
                };
                Ok(failed.item.filter(|item| !item.is_empty()).map_or(Updated::Missing, Updated::No))
            }
            Err(SdkError::ServiceError(error)) if is_contention(error.err().meta().code()) => {
                Err(TransactError::Contention)
            }
            Err(error) => Err(failed("UpdateItem", error).into()),
        }
    }

    /// Sent twice by the SDK it does no harm: the second time finds the same digest.
    pub(crate) async fn update_seen(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        let change = Change {
            key: Key::heartbeat(name),
            update: "SET #seen_at = :now, #version = #version + :one".into(),
            condition: "#digest = :digest AND #accepting = :yes".into(),
            names: ["seen_at", "digest", "accepting", "version"]
                .map(|name| (format!("#{name}"), name.to_owned()))
                .into(),
            values: HashMap::from([
                (":now".into(), number(now)),
                (":one".into(), number(1)),
                (":digest".into(), text(digest)),
                (":yes".into(), AttributeValue::Bool(true)),
            ]),
        };
        Ok(match self.change(change).await? {
            Updated::Yes(mut item) => Touch::Same {
                due_at: match item.remove("due_at") {
                    Some(AttributeValue::N(at)) => at.parse().ok(),
                    _ => None,
                },
            },
            Updated::No(item) => Touch::Differs(heartbeat(item)?),
            Updated::Missing => Touch::Missing,
        })
    }

    pub(crate) async fn update_to_stop(
        &self,
        request: &StopRequest,
    ) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        let fields = what_end_sets(request)?;
        let mut names: HashMap<String, String> =
            ["record", "version"].map(|name| (format!("#{name}"), name.to_owned())).into();
        let mut values = HashMap::from([(":one".into(), number(1)), (":running".into(), text("RUNNING"))]);
        let mut sets = vec!["#version = #version + :one".to_owned()];
        for (field, value) in fields {
            sets.push(format!("#record.#{field} = :{field}"));
            names.insert(format!("#{field}"), field.clone());
            values.insert(format!(":{field}"), value);
        }
        let mut condition = "#record.#target = :running".to_owned();
        if let Some(user) = &request.user {
            condition += " AND #record.#user = :user";
            names.insert("#user".into(), "user".into());
            values.insert(":user".into(), text(user));
        }
        let update = format!("SET {}", sets.join(", "));
        let change = Change { key: Key::cluster(&request.name), update, condition, names, values };
        Ok(match self.change(change).await? {
            Updated::Yes(item) => Some((cluster(item)?, true)),
            Updated::No(item) => {
                let held = cluster(item)?;
                if request.user.as_ref().is_some_and(|user| *user != held.value.user) {
                    return Ok(None);
                }
                // the SDK may have sent it twice: then this is our own
                let ours =
                    held.value.stopping_at == Some(request.now) && held.value.reason.as_ref() == Some(&request.reason);
                Some((held, ours))
            }
            Updated::Missing => None,
        })
    }
}

/// The fields that [`Cluster::end`] sets, found by letting it do so.
fn what_end_sets(request: &StopRequest) -> Result<Item, StoreError> {
    let sealed = Sealed { key_id: String::new(), data: String::new() };
    let mut before = Cluster::new(request.name.clone(), "", &[], String::new(), sealed, 0);
    before.due_at = None;
    before.waiting = Some(request.reason.clone());
    let mut after = before.clone();
    after.end(request.target, request.reason.clone(), request.now);
    let before = cluster_fields(&before)?;
    let mut after = cluster_fields(&after)?;
    after.retain(|field, value| before.get(field) != Some(value));
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::{Reason, ReasonCode, Status};

    #[test]
    fn a_stop_sets_what_the_core_sets() {
        let request = StopRequest {
            name: "0".repeat(32).parse().unwrap(),
            user: None,
            target: Status::Stopped,
            reason: Reason::new(ReasonCode::UserStopped, "stopped"),
            now: 7,
        };
        let fields = what_end_sets(&request).unwrap();
        let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["due_at", "reason", "status", "stopping_at", "target", "waiting"]);
        assert_eq!(fields["status"], text("STOPPING"));
    }
}
