//! Consistent reads of the table.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, cluster, heartbeat, key, launch, malformed, task, text, usage};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use faregate_core::model::{Cluster, ClusterName, Heartbeat, Key, Scope, Stored, Task, TaskId, Usage, UserKey};
use faregate_core::ports::{Children, Page, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// BatchGetItem takes so many keys (Amazon DynamoDB API reference).
const BATCH: usize = 100;
/// Rounds for keys that a batch left unprocessed.
const ROUNDS: u32 = 8;

impl DynamoStore {
    pub(crate) async fn get(&self, at: &Key) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key(at))).consistent_read(true);
        Ok(get.send().await.map_err(|e| failed("GetItem", e))?.item)
    }

    pub(crate) async fn get_cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        self.get(&Key::cluster(name)).await?.map(cluster).transpose()
    }

    pub(crate) async fn get_task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        self.get(&Key::task(name, id)).await?.map(task).transpose()
    }

    /// One query a page; a page ends at 1 MB, so it may hold fewer than asked for.
    pub(crate) async fn query_clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        let start = cursor.map(|after| cluster_key(after, Some(user))).transpose()?;
        let (items, last) = self.query(user.as_str(), start, Some(limit)).await?;
        let items = items
            .into_iter()
            .map(|item| cluster(item).map(|Stored { value, version }| Stored { value: Arc::new(value), version }))
            .collect::<Result<_, _>>()?;
        Ok(Page { items, cursor: last })
    }

    pub(crate) async fn query_children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        let mut children = Children::default();
        for item in self.query_all(name.as_str()).await? {
            let sort = item.get("sk").and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
            match sort.split_once('#') {
                Some(("launch", _)) => children.launches.push(launch(item)?),
                Some(("task", _)) => children.tasks.push(task(item)?),
                _ if sort == "heartbeat" => children.heartbeat = Some(heartbeat(item)?),
                _ => return Err(malformed(format!("{name}/{sort}"), "nothing of that name belongs there")),
            }
        }
        Ok(children)
    }

    /// All of one partition.
    pub(crate) async fn query_all(&self, partition: &str) -> Result<Vec<Item>, StoreError> {
        let (mut items, mut last) = self.query(partition, None, None).await?;
        while let Some(sort) = last {
            let start = key(&Key { partition: partition.to_owned(), sort });
            let (more, next) = self.query(partition, Some(start), None).await?;
            items.extend(more);
            last = next;
        }
        Ok(items)
    }

    /// A page of one partition, and the sort key of its last item if there may be more.
    pub(crate) async fn query(
        &self,
        partition: &str,
        start: Option<Item>,
        limit: Option<usize>,
    ) -> Result<(Vec<Item>, Option<String>), StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(partition))
            .set_exclusive_start_key(start)
            .set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failed("Query", e))?;
        let last = output.last_evaluated_key.and_then(|mut key| match key.remove("sk") {
            Some(aws_sdk_dynamodb::types::AttributeValue::S(sort)) => Some(sort),
            _ => None,
        });
        Ok((output.items.unwrap_or_default(), last))
    }

    pub(crate) async fn get_heartbeats(
        &self,
        names: &[ClusterName],
    ) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        let keys: Vec<Key> = names.iter().map(Key::heartbeat).collect();
        let found = self.batch(&keys).await?;
        found.into_iter().map(|item| item.map(heartbeat).transpose()).collect()
    }

    pub(crate) async fn get_usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        let keys: Vec<Key> = scopes.iter().map(Key::usage).collect();
        let found = self.batch(&keys).await?.into_iter().zip(scopes);
        found
            .map(|(item, scope)| match item {
                Some(item) => usage(scope.clone(), item),
                None => Ok(Stored { value: Usage::none(scope.clone()), version: 0 }),
            })
            .collect()
    }

    /// Many items, in the order asked.
    async fn batch(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut found: HashMap<(String, String), Item> = HashMap::new();
        for chunk in keys.chunks(BATCH) {
            let mut wanted: Vec<Item> = chunk.iter().map(key).collect();
            let mut round = 0;
            while !wanted.is_empty() {
                if round == ROUNDS {
                    return Err(StoreError::Failed(format!("BatchGetItem left {} keys unprocessed", wanted.len())));
                }
                if round > 0 {
                    tokio::time::sleep(Duration::from_millis(20 << round)).await;
                }
                round += 1;
                let asked = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
                let asked = asked.map_err(|e| StoreError::Failed(e.to_string()))?;
                let batch = self.client.batch_get_item().request_items(&self.table, asked);
                let mut output = batch.send().await.map_err(|e| failed("BatchGetItem", e))?;
                let items = output.responses.as_mut().and_then(|tables| tables.remove(&self.table));
                for item in items.unwrap_or_default() {
                    let part = |name| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
                    found.insert((part("pk"), part("sk")), item);
                }
                let left = output.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
                wanted = left.map(|left| left.keys).unwrap_or_default();
            }
        }
        Ok(keys.iter().map(|key| found.get(&(key.partition.clone(), key.sort.clone())).cloned()).collect())
    }
}

/// The primary key of the cluster that a cursor names (of this user, if one is given).
pub(crate) fn cluster_key(cursor: &str, user: Option<&UserKey>) -> Result<Item, StoreError> {
    let name: ClusterName =
        cursor.parse().map_err(|_| StoreError::Failed(format!("`{cursor}` is no cursor of ours")))?;
    if user.is_some_and(|user| name.user_key().as_str() != user.as_str()) {
        return Err(StoreError::Failed(format!("`{cursor}` is a cursor of somebody else")));
    }
    Ok(key(&Key::cluster(&name)))
}
