//! What a user has spent in a month: the ledger's entries of what has ended, and what runs, computed now.

use super::Context;
use async_trait::async_trait;
use faregate_core::model::{Amount, Cluster, ClusterConfig, ClusterName, Month, Ms, Policy, Task, UserKey};
use faregate_core::ports::{Children, Host, Store, StoreError, jitter};
use faregate_core::reconcile::bill;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Clusters read at once.
const PAGE: usize = 500;
/// Clusters whose tasks are read at once.
const AT_ONCE: usize = 16;
/// Tries to read a cluster's tasks while its ledger stands still.
const TRIES: u32 = 8;

/// A user's month.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Every cluster that used anything in it, and every active one.
    pub clusters: BTreeMap<ClusterName, ClusterSpent>,
}

/// A cluster's share of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClusterSpent {
    /// What its tasks that have ended used: the ledger's entry.
    pub ended: Amount,
    /// What the others used so far.
    pub running: Amount,
    /// Not known to be at rest: it may use more.
    pub active: bool,
}

impl ClusterSpent {
    /// Both together.
    pub fn total(&self) -> Amount {
        self.ended + self.running
    }
}

impl Spent {
    /// All clusters together.
    pub fn total(&self) -> Amount {
        self.clusters.values().map(ClusterSpent::total).sum()
    }

    /// What it cost, in US dollars.
    pub fn usd(&self) -> f64 {
        self.total().usd()
    }
}

impl Context {
    /// What a user has spent in a month, up to now. Exact: nothing is counted twice, and nothing is lost.
    pub async fn spent(&self, user: &str, month: Month) -> Result<Spent, StoreError> {
        spent(self.store.as_ref(), self.host.as_ref(), self.policy(), user, &self.ring().user_key(user), month).await
    }
}

/// The same for whoever has no context.
pub(crate) async fn spent(
    store: &dyn Store,
    host: &dyn Host,
    policy: &Policy,
    user: &str,
    key: &UserKey,
    month: Month,
) -> Result<Spent, StoreError> {
    let mut active = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = store.clusters(key, cursor.as_deref(), PAGE).await?;
        let own = page.items.into_iter().map(|s| s.value).filter(|c| c.user == user && c.active);
        active.extend(own.map(|cluster| (cluster.name.clone(), cluster)));
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let names = active.keys().cloned().collect();
    add_up(&StoredBooks { store, host, policy, user, key, month, active }, names).await
}

/// Where the two halves of a sum are read: an interface of its own, so that a test can change them between two reads.
#[async_trait]
trait Books: Sync {
    /// The ledger's entries of the user and month.
    async fn ledger(&self) -> Result<BTreeMap<ClusterName, Amount>, StoreError>;
    /// What a cluster's tasks used in the month beyond what the ledger has of them.
    async fn unsettled(&self, name: &ClusterName) -> Result<Amount, StoreError>;
    /// Before another try.
    async fn pause(&self, attempt: u32);
}

/// A task is billed in the transaction that settles it. So as long as a cluster's entry in the ledger stays the same, none of its tasks
/// has changed sides: its tasks are read between two reads of the ledger, and again where these differ.
///
/// Should others settle tasks of one cluster under every try, the entry from before its tasks were read counts: what was settled in
/// the moment between the last two reads is then missing, and counted the next time; nothing is counted twice.
async fn add_up(books: &impl Books, active: Vec<ClusterName>) -> Result<Spent, StoreError> {
    let mut before = books.ledger().await?;
    let of = |ledger: &BTreeMap<ClusterName, Amount>, name: &ClusterName| ledger.get(name).copied().unwrap_or_default();
    let mut spent = Spent::default();
    let ended = before.iter().map(|(name, ended)| (name.clone(), ClusterSpent { ended: *ended, ..Default::default() }));
    spent.clusters.extend(ended);
    let mut open = active;
    for attempt in 1..=TRIES {
        let reads: Vec<_> = open.iter().map(|name| books.unsettled(name)).collect();
        let running: Vec<Amount> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        for (name, running) in open.iter().zip(running) {
            spent.clusters.insert(name.clone(), ClusterSpent { ended: of(&before, name), running, active: true });
        }
        if open.is_empty() {
            break;
        }
        let after = books.ledger().await?;
        open.retain(|name| of(&before, name) != of(&after, name));
        before = after;
        if attempt < TRIES && !open.is_empty() {
            books.pause(attempt).await;
        }
    }
    Ok(spent)
}

struct StoredBooks<'a> {
    store: &'a dyn Store,
    host: &'a dyn Host,
    policy: &'a Policy,
    user: &'a str,
    key: &'a UserKey,
    month: Month,
    active: BTreeMap<ClusterName, Arc<Cluster>>,
}

#[async_trait]
impl Books for StoredBooks<'_> {
    async fn ledger(&self) -> Result<BTreeMap<ClusterName, Amount>, StoreError> {
        let mut entries = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = self.store.ledger(self.month, Some(self.key), cursor.as_deref()).await?;
            let own = page.items.into_iter().filter(|entry| entry.user == self.user);
            entries.extend(own.map(|entry| (entry.cluster, entry.amount)));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(entries);
            }
        }
    }

    async fn unsettled(&self, name: &ClusterName) -> Result<Amount, StoreError> {
        let Some(cluster) = self.active.get(name) else { return Ok(Amount::default()) };
        let children = self.store.children(name).await?;
        Ok(running(&cluster.config, &children, self.month, self.host.now(), self.policy))
    }

    async fn pause(&self, attempt: u32) {
        jitter(self.host, 10 << attempt).await;
    }
}

/// What the tasks that are not settled used in a month, beyond what the ledger has of them.
pub(crate) fn running(config: &ClusterConfig, children: &Children, month: Month, now: Ms, policy: &Policy) -> Amount {
    let launch_of = |task: &Task| children.launches.iter().map(|l| &l.value).find(|l| l.id == task.facts.launch);
    let unsettled = children.tasks.iter().map(|t| &t.value).filter(|t| !t.settled);
    unsettled
        .map(|task| {
            let billed = task.billed.get(&month).copied().unwrap_or_default();
            let used = bill(config, launch_of(task), &task.facts, now, policy);
            used.get(&month).copied().unwrap_or_default() - billed
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_keys::KeyRing;
    use std::sync::Mutex;

    fn name(n: u64) -> ClusterName {
        ClusterName::mint(&KeyRing::from_random(&[7; 64]).user_key("alice"), 1_000, n)
    }

    fn usd(cents: i64) -> Amount {
        Amount { nanousd: cents * 10_000_000, ..Amount::default() }
    }

    /// One cluster whose tasks, of 1, 2, 4 … cents, settle at given moments; a moment passes with every read.
    struct Settling {
        cluster: ClusterName,
        settles_at: Vec<u32>,
        moment: Mutex<u32>,
        pauses: Mutex<u32>,
    }

    impl Settling {
        fn new(settles_at: &[u32]) -> Self {
            Settling { cluster: name(1), settles_at: settles_at.to_vec(), moment: 0.into(), pauses: 0.into() }
        }

        /// What is settled by now, and what is not.
        fn read(&self) -> (Amount, Amount) {
            let mut moment = self.moment.lock().unwrap();
            let of = |n: usize| usd(1 << n);
            let ended = self.settles_at.iter().enumerate().filter(|(_, at)| **at <= *moment).map(|(n, _)| of(n)).sum();
            let running = self.settles_at.iter().enumerate().filter(|(_, at)| **at > *moment).map(|(n, _)| of(n)).sum();
            *moment += 1;
            (ended, running)
        }
    }

    #[async_trait]
    impl Books for Settling {
        async fn ledger(&self) -> Result<BTreeMap<ClusterName, Amount>, StoreError> {
            let (ended, _) = self.read();
            let entry = (!ended.is_zero()).then(|| (self.cluster.clone(), ended));
            Ok(entry.into_iter().chain([(name(2), usd(100))]).collect())
        }

        async fn unsettled(&self, _: &ClusterName) -> Result<Amount, StoreError> {
            Ok(self.read().1)
        }

        async fn pause(&self, _: u32) {
            *self.pauses.lock().unwrap() += 1;
        }
    }

    #[tokio::test]
    async fn whenever_tasks_settle_none_is_counted_twice_or_lost() {
        for first in 0..8 {
            for second in 0..8 {
                for third in 0..8 {
                    let books = Settling::new(&[first, second, third]);
                    let spent = add_up(&books, vec![books.cluster.clone()]).await.unwrap();
                    assert_eq!(spent.total(), usd(107), "settled at {first}, {second} and {third}");
                    assert_eq!(spent.clusters[&name(2)], ClusterSpent { ended: usd(100), ..Default::default() });
                }
            }
        }
    }

    #[tokio::test]
    async fn at_rest_the_ledger_is_read_twice_and_nothing_again() {
        let books = Settling::new(&[0, 100]);
        let spent = add_up(&books, vec![books.cluster.clone()]).await.unwrap();
        let expected = ClusterSpent { ended: usd(1), running: usd(2), active: true };
        assert_eq!((spent.clusters[&name(1)], *books.moment.lock().unwrap()), (expected, 3));
        assert_eq!(*books.pauses.lock().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_ledger_that_never_stands_still_is_not_waited_for_for_ever() {
        let books = Settling::new(&(0..30).collect::<Vec<_>>());
        let spent = add_up(&books, vec![books.cluster.clone()]).await.unwrap();
        let whole = usd((1 << 30) - 1);
        assert!(spent.clusters[&name(1)].total().nanousd < whole.nanousd, "rather missing for a moment than twice");
        assert_eq!(*books.moment.lock().unwrap(), 1 + 2 * TRIES);
    }
}
