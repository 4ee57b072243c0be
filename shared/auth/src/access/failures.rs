//! Failed sign-ins as they are kept: for other processes, for the next start, and for admins.

use super::{Access, AccessError};
use faregate_core::model::{Act, Failures, Ms, Record, Stored};
use faregate_core::ports::{Expect, Retries, StoreError, TransactError, Write};
use serde::Serialize;
use serde_json::json;

/// Somebody whose sign-ins are not looked at for a while, as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockRow {
    /// Who was said to come; none = whoever it was.
    pub user: Option<String>,
    /// From where; none = from wherever, peers that have failed before.
    pub peer: Option<String>,
    /// How often it failed.
    pub failures: u32,
    /// When it last did.
    pub last_at: Ms,
    /// Until when no further try is looked at.
    pub until: Ms,
}

impl Access {
    /// Adds one failure to what is on record, and says what is then.
    pub(crate) async fn failed(&self, known: &Failures, now: Ms) -> Result<Failures, StoreError> {
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let found = self.failures_of(known).await?;
            let (failures, expect) = match found {
                Some(Stored { mut value, version }) => {
                    value.fail(now);
                    value.merge(known);
                    (value, Expect::Version(version))
                }
                // what is in memory has this one in it already
                None => (known.clone(), Expect::Absent),
            };
            let write = Write::Put { record: Record::Failures(failures.clone()), expect };
            match self.records.transact(vec![write]).await {
                Ok(()) => return Ok(failures),
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::Failed("others are at the same item all the time".into()))
    }

    /// What is on record of the same.
    pub(crate) async fn failures_of(&self, known: &Failures) -> Result<Option<Stored<Failures>>, StoreError> {
        self.records.failures(known.user.as_deref(), known.peer.as_deref()).await
    }

    /// Who is blocked, by peer and user.
    pub async fn blocks(&self) -> Result<Vec<BlockRow>, AccessError> {
        let now = self.host.now();
        let all = self.records.all_failures().await?.into_iter().map(|stored| stored.value);
        let row = |failures: Failures| {
            let until = failures.blocked_until(now)?;
            let Failures { user, peer, count, last_at, .. } = failures;
            Some(BlockRow { user, peer, failures: count, last_at, until })
        };
        Ok(all.filter_map(row).collect())
    }

    /// Forgives what has failed: of a user, of a peer, or of that user at that peer alone. On record first. How many blocks that lifted.
    pub async fn lift(&self, act: &Act, user: Option<&str>, peer: Option<&str>) -> Result<usize, AccessError> {
        if user.is_none() && peer.is_none() {
            return Err(AccessError::Invalid("name a `user`, a `peer`, or both: whose block is lifted".into()));
        }
        let now = self.host.now();
        let asked = |failures: &Failures| {
            user.is_none_or(|user| failures.user.as_deref() == Some(user))
                && peer.is_none_or(|peer| failures.peer.as_deref() == Some(peer))
        };
        let mut found = self.records.all_failures().await?;
        found.retain(|stored| asked(&stored.value) && stored.value.forgotten_at > now);
        let target = match (user, peer) {
            (Some(user), Some(peer)) => format!("user:{user} peer:{peer}"),
            (Some(user), None) => format!("user:{user}"),
            (None, peer) => format!("peer:{}", peer.unwrap_or_default()),
        };
        let blocked = found.iter().filter(|stored| stored.value.blocked_until(now).is_some()).count();
        self.record(act, "lift-block", target, json!({"blocks": blocked})).await?;
        for stored in found {
            self.forgive(stored).await?;
        }
        Ok(blocked)
    }

    async fn forgive(&self, mut stored: Stored<Failures>) -> Result<(), AccessError> {
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let now = self.host.now();
            stored.value.forgive(now);
            stored.value.lifted_at = Some(now);
            if self.write(Record::Failures(stored.value.clone()), Expect::Version(stored.version)).await? {
                return Ok(());
            }
            match self.failures_of(&stored.value).await? {
                Some(again) => stored = again,
                None => return Ok(()),
            }
        }
        Err(AccessError::Contended)
    }
}
