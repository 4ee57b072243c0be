//! The queue of wakes in one process: what SQS is to the gateway on AWS.
//!
//! A wake that waits already is not queued twice; groups take turns; one wake is never worked on twice at the same time; one that
//! failed comes again, later each time. All of it is forgotten when the process ends: the first enforcement run finds what is due.

use async_trait::async_trait;
use faregate_core::model::Ms;
use faregate_core::ports::{Wake, Wakes, WakesError};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Delays are rounded up to a multiple of this, so that wakes of one moment fall together.
const GRAIN_MS: u64 = 20;
/// Before one that failed is tried again; doubled by each further failure …
const FIRST_RETRY_MS: u64 = 100;
/// … up to this.
const LONGEST_RETRY_MS: u64 = 30_000;

/// The queue. Shared by those who wake and by the workers that call [`LocalWakes::next`] and [`LocalWakes::done`].
pub struct LocalWakes {
    queue: Mutex<Queue>,
    changed: Notify,
    origin: Instant,
}

#[derive(Default)]
struct Queue {
    /// By the millisecond (since `origin`) from which they may be delivered.
    later: BTreeMap<u64, HashSet<Wake>>,
    /// Deliverable, by group.
    ready: HashMap<String, VecDeque<Wake>>,
    /// The groups of `ready`, in the order of their turns.
    turns: VecDeque<String>,
    /// What `ready` holds.
    queued: HashSet<Wake>,
    /// What workers are at.
    running: HashSet<Wake>,
    /// Failures in a row.
    failures: HashMap<Wake, u32>,
}

impl Default for LocalWakes {
    fn default() -> Self {
        LocalWakes { queue: Mutex::default(), changed: Notify::new(), origin: Instant::now() }
    }
}

impl LocalWakes {
    /// An empty queue.
    pub fn new() -> Self {
        LocalWakes::default()
    }

    /// Takes the next wake; waits while there is none. Each must be given back to [`LocalWakes::done`].
    pub async fn next(&self) -> Wake {
        loop {
            // registered before looking, so that nothing falls between the look and the wait
            let changed = self.changed.notified();
            let (wake, next_due) = {
                let mut queue = self.lock();
                queue.ripen(self.now());
                (queue.take(), queue.later.keys().next().copied())
            };
            if let Some(wake) = wake {
                // another worker may find more
                self.changed.notify_one();
                return wake;
            }
            match next_due {
                Some(due) => {
                    let due = self.origin + Duration::from_millis(due);
                    tokio::select! { () = changed => {}, () = tokio::time::sleep_until(due) => {} }
                }
                None => changed.await,
            }
        }
    }

    /// Gives a wake back: it was handled well, or must be tried again after a while.
    pub fn done(&self, wake: Wake, well: bool) {
        let mut queue = self.lock();
        queue.running.remove(&wake);
        if well {
            queue.failures.remove(&wake);
        } else {
            let failures = queue.failures.entry(wake.clone()).or_default();
            *failures += 1;
            let delay = (FIRST_RETRY_MS << (*failures - 1).min(16)).min(LONGEST_RETRY_MS);
            queue.later.entry(self.now() + delay).or_default().insert(wake);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Wakes that wait or are being worked on.
    pub fn len(&self) -> usize {
        let queue = self.lock();
        queue.queued.len() + queue.running.len() + queue.later.values().map(HashSet::len).sum::<usize>()
    }

    /// Nothing waits, nothing is being worked on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    /// A panic under the lock leaves a queue that is still a queue.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Moves what has become deliverable.
    fn ripen(&mut self, now: u64) {
        while let Some(entry) = self.later.first_entry()
            && *entry.key() <= now
        {
            for wake in entry.remove() {
                self.push(wake);
            }
        }
    }

    fn push(&mut self, wake: Wake) {
        if self.queued.insert(wake.clone()) {
            let group = wake.group().to_owned();
            let waiting = self.ready.entry(group.clone()).or_default();
            if waiting.is_empty() {
                self.turns.push_back(group);
            }
            waiting.push_back(wake);
        }
    }

    /// The first group's first wake that nobody is at; the group goes to the end.
    fn take(&mut self) -> Option<Wake> {
        for _ in 0..self.turns.len() {
            let group = self.turns.pop_front()?;
            let waiting = self.ready.get_mut(&group)?;
            let free = waiting.iter().position(|wake| !self.running.contains(wake));
            let wake = free.and_then(|at| waiting.remove(at));
            if waiting.is_empty() {
                self.ready.remove(&group);
            } else {
                self.turns.push_back(group);
            }
            if let Some(wake) = wake {
                self.queued.remove(&wake);
                self.running.insert(wake.clone());
                return Some(wake);
            }
        }
        None
    }
}

#[async_trait]
impl Wakes for LocalWakes {
    async fn wake(&self, wake: Wake, delay_ms: Ms) -> Result<(), WakesError> {
        {
            let mut queue = self.lock();
            match u64::try_from(delay_ms) {
                Ok(delay) if delay > 0 => {
                    let due = (self.now() + delay).div_ceil(GRAIN_MS) * GRAIN_MS;
                    queue.later.entry(due).or_default().insert(wake);
                }
                _ => queue.push(wake),
            }
        }
        self.changed.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::ClusterName;

    fn cluster(user: char, n: char) -> Wake {
        let name: String = std::iter::repeat_n(user, 12).chain(std::iter::repeat_n(n, 20)).collect();
        Wake::Cluster(name.parse::<ClusterName>().expect("a name"))
    }

    async fn wake(wakes: &LocalWakes, wake: Wake, delay_ms: Ms) {
        wakes.wake(wake, delay_ms).await.expect("the local queue takes everything");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_that_waits_already_comes_once() {
        let wakes = LocalWakes::new();
        for _ in 0..3 {
            wake(&wakes, cluster('a', '1'), 0).await;
        }
        wakes.done(wakes.next().await, true);
        assert!(wakes.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn groups_take_turns() {
        let wakes = LocalWakes::new();
        for n in ['1', '2', '3'] {
            wake(&wakes, cluster('a', n), 0).await;
        }
        wake(&wakes, cluster('b', '1'), 0).await;
        let order = [wakes.next().await, wakes.next().await, wakes.next().await, wakes.next().await];
        assert_eq!(order, [cluster('a', '1'), cluster('b', '1'), cluster('a', '2'), cluster('a', '3')]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_wake_comes_no_earlier_even_beside_an_earlier_one() {
        let wakes = LocalWakes::new();
        let start = Instant::now();
        wake(&wakes, cluster('a', '1'), 5_000).await;
        wake(&wakes, cluster('a', '1'), 0).await;
        wakes.done(wakes.next().await, true);
        assert_eq!(start.elapsed(), Duration::ZERO);
        wakes.done(wakes.next().await, true);
        assert!(start.elapsed() >= Duration::from_secs(5));
        assert!(wakes.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_woken_during_its_turn_gets_another_one_afterwards() {
        let wakes = LocalWakes::new();
        wake(&wakes, cluster('a', '1'), 0).await;
        let first = wakes.next().await;
        wake(&wakes, cluster('a', '1'), 0).await;
        let second = tokio::time::timeout(Duration::from_secs(60), wakes.next()).await;
        assert!(second.is_err(), "two wakes of one cluster at once");
        wakes.done(first, true);
        assert_eq!(wakes.next().await, cluster('a', '1'));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_turn_comes_again_later_each_time() {
        let wakes = LocalWakes::new();
        wake(&wakes, cluster('a', '1'), 0).await;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let start = Instant::now();
            let taken = wakes.next().await;
            waits.push(start.elapsed());
            wakes.done(taken, false);
        }
        assert_eq!(waits[0], Duration::ZERO);
        assert!(waits[1] >= Duration::from_millis(FIRST_RETRY_MS));
        assert!(waits[4] > waits[2], "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(LONGEST_RETRY_MS + GRAIN_MS)));
        wakes.done(wakes.next().await, true);
        assert!(wakes.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_waits_is_woken() {
        let wakes = std::sync::Arc::new(LocalWakes::new());
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let wakes = wakes.clone();
                tokio::spawn(async move { wakes.next().await })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        for n in ['1', '2', '3'] {
            wake(&wakes, cluster('a', n), 0).await;
        }
        for worker in workers {
            tokio::time::timeout(Duration::from_secs(60), worker).await.expect("in time").expect("no panic");
        }
    }
}
