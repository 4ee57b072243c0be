//! What admins did: a table of its own, to which the gateway may only add.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, malformed, text};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use faregate_core::model::{Audit, Month};
use faregate_core::ports::{ENTRIES_A_PAGE, Page, StoreError};
use std::collections::HashMap;

/// A record as an item. Its particulars are kept as JSON: DynamoDB has one kind of number, and `2.0` is not `2`.
fn encode(audit: &Audit) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(audit)
        .map_err(|e| StoreError::Failed(format!("an audit record cannot be written: {e}")))?;
    item.insert("details".into(), text(audit.details.to_string()));
    item.insert("pk".into(), text(Month::of(audit.at).to_string()));
    item.insert("sk".into(), text(audit.sort_key()));
    Ok(item)
}

fn decode(mut item: Item) -> Result<Audit, StoreError> {
    let mut take = |name: &str| match item.remove(name) {
        Some(AttributeValue::S(text)) => text,
        _ => String::new(),
    };
    let (place, details) = (format!("{}/{}", take("pk"), take("sk")), take("details"));
    let mut audit: Audit = serde_dynamo::from_item(item).map_err(|e| malformed(&place, e))?;
    audit.details = serde_json::from_str(&details).map_err(|e| malformed(&place, e))?;
    Ok(audit)
}

impl DynamoStore {
    /// The audits' table.
    fn audits_table(&self) -> String {
        format!("{}-audit", self.table)
    }

    /// The SDK may send it twice: what it finds of its own is no error.
    pub(crate) async fn put_audit(&self, audit: &Audit) -> Result<(), StoreError> {
        let item = encode(audit)?;
        let put = self
            .client
            .put_item()
            .table_name(self.audits_table())
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                match error.into_err() {
                    PutItemError::ConditionalCheckFailedException(held) if held.item.as_ref() == Some(&item) => Ok(()),
                    _ => Err(StoreError::Failed(format!(
                        "an audit record `{}` exists, and stays as it is",
                        audit.sort_key()
                    ))),
                }
            }
            Err(error) => Err(failed("PutItem of an audit record", error)),
        }
    }

    pub(crate) async fn query_audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        let pk = text(month.to_string());
        let start = cursor.map(|after| {
            if !Audit::is_sort_key(after) {
                return Err(StoreError::Failed(format!("`{after}` is no cursor of ours")));
            }
            Ok(HashMap::from([("pk".to_owned(), pk.clone()), ("sk".to_owned(), text(after))]))
        });
        let output = self
            .client
            .query()
            .table_name(self.audits_table())
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", pk.clone())
            .set_exclusive_start_key(start.transpose()?)
            .limit(ENTRIES_A_PAGE as i32)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("Query of the audit records", e))?;
        let items = output.items.unwrap_or_default().into_iter().map(decode).collect::<Result<_, _>>()?;
        let cursor = match output.last_evaluated_key.and_then(|mut key| key.remove("sk")) {
            Some(AttributeValue::S(sort)) => Some(sort),
            _ => None,
        };
        Ok(Page { items, cursor })
    }
}
