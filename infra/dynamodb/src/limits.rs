//! Limits: items of the partition `limits`, with plain attributes, edited by hand; and the last good values of them.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, key, limit_attributes};
use crate::plain;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate_core::model::{Key, Limits, Scope};
use faregate_core::ports::{LimitItems, StoreError};

impl DynamoStore {
    pub(crate) async fn read_limits(&self) -> Result<LimitItems, StoreError> {
        let mut items = self.limits_in("limits").await?;
        if !items.broken.is_empty() {
            items.fall_back(&self.limits_in(&Key::limits_in_force("").partition).await?);
        }
        Ok(items)
    }

    /// What is kept is read each time: another process may keep, too.
    pub(crate) async fn write_kept_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        let kept = self.limits_in(&Key::limits_in_force("").partition).await?;
        let changes = items.to_keep(&kept);
        for (sort, limits) in &changes {
            self.write_limits_at(&Key::limits_in_force(sort), *limits).await?;
        }
        Ok(changes.len())
    }

    async fn limits_in(&self, partition: &str) -> Result<LimitItems, StoreError> {
        let mut found = Vec::new();
        for mut item in self.query_all(partition).await? {
            item.remove("pk");
            let Some(AttributeValue::S(scope)) = item.remove("sk") else { continue };
            found.push((scope, Ok(plain::attributes(item))));
        }
        Ok(LimitItems::read_attributes(found))
    }

    pub(crate) async fn write_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        self.write_limits_at(&Key::limits(scope), limits).await
    }

    async fn write_limits_at(&self, at: &Key, limits: Option<&Limits>) -> Result<(), StoreError> {
        let key: Item = key(at);
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
