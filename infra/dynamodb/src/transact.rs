//! All or nothing, on conditions.

use crate::DynamoStore;
use crate::counts::count_update;
use crate::errors::failed;
use crate::items::{Item, decode, encode, number};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use faregate_core::model::Record;
use faregate_core::ports::{Conflict, Expect, StoreError, TransactError, Write};
use std::collections::HashMap;

/// A put's condition, the names it speaks of (which DynamoDB may have reserved), and its values.
struct Condition {
    expression: &'static str,
    names: Option<HashMap<String, String>>,
    values: Option<HashMap<String, AttributeValue>>,
}

fn condition(expect: Expect) -> Condition {
    match expect {
        Expect::Absent => Condition { expression: "attribute_not_exists(pk)", names: None, values: None },
        Expect::Version(version) => Condition {
            expression: "#version = :expected",
            names: Some(HashMap::from([("#version".into(), "version".into())])),
            values: Some(HashMap::from([(":expected".into(), number(version))])),
        },
    }
}

fn item(record: &Record, expect: Expect) -> Result<Item, StoreError> {
    let version = match expect {
        Expect::Absent => 1,
        Expect::Version(version) => version + 1,
    };
    encode(record, version)
}

impl DynamoStore {
    /// One item is written by itself, at half the price; more in a transaction.
    pub(crate) async fn write_all(&self, writes: &[Write]) -> Result<(), TransactError> {
        Write::check_shape(writes)?;
        match writes {
            [Write::Put { record, expect }] => self.put(record, *expect).await,
            writes => self.transact_write(writes).await,
        }
    }

    async fn put(&self, record: &Record, expect: Expect) -> Result<(), TransactError> {
        let condition = condition(expect);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(record, expect)?))
            .condition_expression(condition.expression)
            .set_expression_attribute_names(condition.names)
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // repeated after a lost reply it would fail on its own success
        let once = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
        match put.customize().config_override(once).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let held = match error.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => failed.item,
                    _ => None,
                };
                Err(TransactError::Conflicts(vec![conflict(0, held)?]))
            }
            Err(SdkError::ServiceError(error)) if is_contention(error.err().meta().code()) => {
                Err(TransactError::Contention)
            }
            Err(error) => Err(failed("PutItem", error).into()),
        }
    }

    async fn transact_write(&self, writes: &[Write]) -> Result<(), TransactError> {
        let parts = writes.iter().map(|write| self.part(write)).collect::<Result<Vec<_>, StoreError>>()?;
        let outcome = self.client.transact_write_items().set_transact_items(Some(parts)).send().await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => {
                let code = error.err().meta().code().map(str::to_owned);
                match error.into_err() {
                    TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                        Err(judge(cancelled.cancellation_reasons.unwrap_or_default()))
                    }
                    _ if is_contention(code.as_deref()) => Err(TransactError::Contention),
                    other => Err(StoreError::Failed(format!(
                        "TransactWriteItems: {}",
                        aws_sdk_dynamodb::error::DisplayErrorContext(other)
                    ))
                    .into()),
                }
            }
            Err(error) => Err(failed("TransactWriteItems", error).into()),
        }
    }

    fn part(&self, write: &Write) -> Result<TransactWriteItem, StoreError> {
        Ok(match write {
            Write::Put { record, expect } => {
                let condition = condition(*expect);
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(item(record, *expect)?))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(condition.names)
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .build()
                    .map_err(|e| StoreError::Failed(e.to_string()))?;
                TransactWriteItem::builder().put(put).build()
            }
            Write::Count { scope, delta, ceiling, now, pace } => {
                let update = count_update(scope, *delta, *ceiling, *now, *pace).in_transaction(&self.table)?;
                TransactWriteItem::builder().update(update).build()
            }
            Write::Bill { month, user, cluster, amount } => {
                TransactWriteItem::builder().update(self.bill(*month, user, cluster, amount)?).build()
            }
        })
    }
}

/// Nothing was written, and the same again may succeed.
pub(crate) fn is_contention(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "TransactionConflictException"
                | "TransactionInProgressException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "ProvisionedThroughputExceededException"
        )
    )
}

/// The reasons stand in the order of the writes.
fn judge(reasons: Vec<CancellationReason>) -> TransactError {
    let mut conflicts = Vec::new();
    let mut others = Vec::new();
    for (index, reason) in reasons.into_iter().enumerate() {
        match reason.code.as_deref() {
            None | Some("None") => {}
            Some("ConditionalCheckFailed") => match conflict(index, reason.item) {
                Ok(conflict) => conflicts.push(conflict),
                Err(error) => return error.into(),
            },
            Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => {}
            Some(code) => others.push(format!("{code}: {}", reason.message.unwrap_or_default())),
        }
    }
    if !others.is_empty() {
        return StoreError::Failed(format!("TransactWriteItems: {}", others.join("; "))).into();
    }
    if conflicts.is_empty() { TransactError::Contention } else { TransactError::Conflicts(conflicts) }
}

fn conflict(index: usize, held: Option<Item>) -> Result<Conflict, StoreError> {
    let held = held.filter(|item| !item.is_empty()).map(decode).transpose()?;
    Ok(Conflict { index, held })
}
