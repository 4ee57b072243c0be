//! A heartbeat: one conditional write where nothing changed; two and a wake where something did.

use super::{Context, ServiceError};
use faregate_core::model::{ClusterName, Content, Heartbeat, Record, Stored, Task, Version};
use faregate_core::ports::{Expect, Retries, StoreError, Touch, TransactError, Write};
use faregate_core::safety_rule;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tasks written in one transaction while a large content is applied.
const CHUNK: usize = 80;

/// Takes in what schedulers tell.
pub struct Heartbeats {
    context: Arc<Context>,
}

impl Heartbeats {
    /// Over these records.
    pub fn new(context: Arc<Context>) -> Self {
        Heartbeats { context }
    }

    /// Takes a heartbeat. Equal digests mean equal contents. [`ServiceError::Conflict`] when the cluster takes no more.
    pub async fn apply(&self, name: &ClusterName, content: Content, digest: String) -> Result<(), ServiceError> {
        let mut retries = Retries::new(&*self.context.host);
        while retries.next().await {
            let item = match self.context.store.touch(name, &digest, self.context.now()).await {
                Ok(Touch::Same { due_at }) => {
                    // the wake of the change may have been lost
                    if due_at.is_some() && safety_rule!(self.context.policy(), heartbeat_wakes_again) {
                        self.context.wake(name, 0).await;
                    }
                    return Ok(());
                }
                Ok(Touch::Missing) => {
                    return Err(ServiceError::Conflict(format!("Cluster '{name}' does not exist (any more)")));
                }
                Ok(Touch::Differs(item)) => item,
                Err(TransactError::Failed(error)) => return Err(error.into()),
                Err(_) => {
                    return Err(ServiceError::Conflict(format!("Cluster '{name}' is being worked on; try again")));
                }
            };
            if !item.value.accepting {
                return Err(ServiceError::Conflict(format!("Cluster '{name}' is stopping")));
            }
            if self.change(item, &content, &digest).await? {
                self.context.wake(name, 0).await;
                return Ok(());
            }
        }
        Err(ServiceError::Conflict(format!("The heartbeat of cluster '{name}' met too many others; try again")))
    }

    /// Writes changed content with its digest. False when the item was written by others meanwhile.
    async fn change(&self, item: Stored<Heartbeat>, content: &Content, digest: &str) -> Result<bool, StoreError> {
        let now = self.context.now();
        let mut heartbeat = Heartbeat {
            seen_at: Some(now),
            digest: Some(digest.to_owned()),
            content: Some(content.clone()),
            due_at: Some(now),
            ..item.value
        };
        heartbeat.unknown.clear();
        if !safety_rule!(self.context.policy(), content_with_digest) {
            // the other reading: the digest first, the content in a write of its own
            let bare = Heartbeat { content: None, ..heartbeat.clone() };
            if !self.put(Record::Heartbeat(bare), item.version).await? {
                return Ok(false);
            }
            return self.put(Record::Heartbeat(heartbeat), item.version + 1).await;
        }
        let mut version = item.version;
        if self.is_too_large(content) {
            // applied first, then the digest: a crash between the two only applies it again
            let none = BTreeSet::new;
            heartbeat.content = Some(Content { active: none(), closing: none(), closed: none(), ..content.clone() });
            let Some(unknown) = self.apply_to_tasks(&heartbeat, &mut version, content).await? else { return Ok(false) };
            heartbeat.unknown = unknown;
            let mut room = self.context.store.item_limit() / 4;
            let all = heartbeat.unknown.len();
            heartbeat.unknown.retain(|name| {
                room = room.saturating_sub(name.len() + 3);
                room > 0
            });
            if heartbeat.unknown.len() < all {
                heartbeat.digest = None; // not whole: the next heartbeat is applied again
            }
        }
        self.put(Record::Heartbeat(heartbeat), version).await
    }

    fn is_too_large(&self, content: &Content) -> bool {
        let names = content.active.iter().chain(&content.closing).chain(&content.closed);
        let bytes: usize = names.map(|name| name.len() + 3).sum();
        bytes > self.context.store.item_limit() / 2
    }

    /// Takes a large content into the tasks. The active names that have no task yet; none when others wrote meanwhile.
    ///
    /// Every transaction also takes the item's digest away and its version on: a former content that comes again is applied
    /// again, and a transaction that lands late, after another heartbeat, fails.
    async fn apply_to_tasks(
        &self,
        heartbeat: &Heartbeat,
        version: &mut Version,
        content: &Content,
    ) -> Result<Option<BTreeSet<String>>, StoreError> {
        let name = &heartbeat.cluster;
        let children = self.context.store.children(name).await?;
        let now = self.context.now();
        let mut unknown: BTreeSet<String> = content.active.union(&content.closing).cloned().collect();
        let mut writes = Vec::new();
        for Stored { value, version } in children.tasks {
            unknown.remove(&value.facts.id.worker_name());
            let mut task: Task = value.clone();
            task.apply_heartbeat(content, now, self.context.policy());
            if task != value {
                writes.push(Write::Put { record: Record::Task(task), expect: Expect::Version(version) });
            }
        }
        for chunk in writes.chunks(CHUNK) {
            let undigested = Heartbeat { digest: None, ..heartbeat.clone() };
            let expect = Expect::Version(*version);
            let mut writes = vec![Write::Put { record: Record::Heartbeat(undigested), expect }];
            writes.extend_from_slice(chunk);
            match self.context.store.transact(writes).await {
                Ok(()) => *version += 1,
                Err(TransactError::Conflicts(_) | TransactError::Contention) => return Ok(None),
                Err(TransactError::Failed(error)) => return Err(error),
            }
        }
        Ok(Some(unknown))
    }

    async fn put(&self, record: Record, version: u64) -> Result<bool, StoreError> {
        let write = Write::Put { record, expect: Expect::Version(version) };
        match self.context.store.transact(vec![write]).await {
            Ok(()) => Ok(true),
            Err(TransactError::Conflicts(_) | TransactError::Contention) => Ok(false),
            Err(TransactError::Failed(error)) => Err(error),
        }
    }
}
