//! The index of the active: sparse, eventually consistent, in shards to be written fast; it is only ever read whole, so it is scanned.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, SHARDS, cluster_in_index, text};
use crate::reads::cluster_key;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate_core::model::Stored;
use faregate_core::ports::{ActiveRow, Page, StoreError};

impl DynamoStore {
    /// A cursor is the cluster after which to go on, and its shard: `3:<name>`.
    pub(crate) async fn scan_active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        let mut start = cursor.map(parse).transpose()?;
        loop {
            let output = self
                .client
                .scan()
                .table_name(&self.table)
                .index_name("active")
                .set_exclusive_start_key(start.take())
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|e| failed("Scan of the index", e))?;
            let items: Vec<ActiveRow> = output
                .items
                .unwrap_or_default()
                .into_iter()
                .map(|item| {
                    cluster_in_index(item).map(|Stored { value, version }| ActiveRow { cluster: value, version })
                })
                .collect::<Result<_, _>>()?;
            let cursor = output.last_evaluated_key.as_ref().map(cursor_of).transpose()?;
            match output.last_evaluated_key {
                // a page may be empty though more follow
                Some(key) if items.is_empty() => start = Some(key),
                _ => return Ok(Page { items, cursor }),
            }
        }
    }
}

fn cursor_of(key: &Item) -> Result<String, StoreError> {
    match (key.get("shard"), key.get("sk")) {
        (Some(AttributeValue::S(shard)), Some(AttributeValue::S(name))) => Ok(format!("{shard}:{name}")),
        _ => Err(StoreError::Failed("a Scan of the index ends without its key".to_owned())),
    }
}

fn parse(cursor: &str) -> Result<Item, StoreError> {
    let parts = cursor.split_once(':').filter(|(shard, _)| shard.parse().is_ok_and(|n: usize| n < SHARDS));
    let (shard, name) = parts.ok_or_else(|| StoreError::Failed(format!("`{cursor}` is no cursor of ours")))?;
    let mut key = cluster_key(name, None)?;
    key.insert("shard".into(), text(shard));
    Ok(key)
}
