//! Limits: items of the partition `limits`, with plain attributes, edited by hand.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{key, limit_attributes, text};
use aws_sdk_dynamodb::types::AttributeValue;
use faregate::model::{Key, Limits, Scope};
use faregate::ports::StoreError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::PoisonError;

impl DynamoStore {
    pub(crate) async fn read_limits(&self) -> Result<BTreeMap<Scope, Limits>, StoreError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text("limits"))
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .send()
                .await
                .map_err(|e| failed("Query", e))?;
            for mut item in output.items.unwrap_or_default() {
                item.remove("pk");
                let Some(AttributeValue::S(scope)) = item.remove("sk") else { continue };
                // what is no JSON at all (a binary value) is reported as what it is
                let value = serde_dynamo::from_item(item).unwrap_or_else(|e| Value::String(e.to_string()));
                found.push((scope, value));
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(self.known_limits.lock().unwrap_or_else(PoisonError::into_inner).read(found))
    }

    pub(crate) async fn write_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        let key = key(&Key::limits(scope));
        match limits {
            Some(limits) => {
                let mut item = limit_attributes(limits)?;
                item.extend(key);
                let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
                put.send().await.map(drop).map_err(|e| failed("PutItem", e))
            }
            None => {
                let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key));
                delete.send().await.map(drop).map_err(|e| failed("DeleteItem", e))
            }
        }
    }
}
