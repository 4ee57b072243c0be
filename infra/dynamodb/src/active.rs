//! The index of the active: sparse, eventually consistent, in shards that are read one after the other.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, SHARDS, cluster_in_index, text};
use crate::reads::cluster_key;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate::model::Stored;
use faregate::ports::{ActiveRow, Page, StoreError};

impl DynamoStore {
    /// A cursor is a shard, or a shard and the cluster after which to go on: `3`, `3:<name>`.
    pub(crate) async fn query_active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        let (mut shard, mut start) = parse(cursor.unwrap_or("0"))?;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("active")
                .key_condition_expression("#shard = :shard")
                .expression_attribute_names("#shard", "shard")
                .expression_attribute_values(":shard", text(shard.to_string()))
                .set_exclusive_start_key(start.take())
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|e| failed("Query of the index", e))?;
            let items: Vec<ActiveRow> = output
                .items
                .unwrap_or_default()
                .into_iter()
                .map(|item| {
                    cluster_in_index(item).map(|Stored { value, version }| ActiveRow { cluster: value, version })
                })
                .collect::<Result<_, _>>()?;
            let cursor = match output.last_evaluated_key.as_ref().and_then(|key| key.get("sk")) {
                Some(AttributeValue::S(name)) => Some(format!("{shard}:{name}")),
                _ if shard + 1 < SHARDS => Some((shard + 1).to_string()),
                _ => None,
            };
            match &cursor {
                Some(cursor) if items.is_empty() => (shard, start) = parse(cursor)?,
                _ => return Ok(Page { items, cursor }),
            }
        }
    }
}

fn parse(cursor: &str) -> Result<(usize, Option<Item>), StoreError> {
    let (shard, after) = cursor.split_once(':').map_or((cursor, None), |(shard, after)| (shard, Some(after)));
    let number = shard.parse().ok().filter(|n| *n < SHARDS);
    let number = number.ok_or_else(|| StoreError(format!("`{cursor}` is no cursor of ours")))?;
    let start = after.map(|name| {
        let mut key = cluster_key(name, None)?;
        key.insert("shard".into(), text(shard));
        Ok::<_, StoreError>(key)
    });
    Ok((number, start.transpose()?))
}
