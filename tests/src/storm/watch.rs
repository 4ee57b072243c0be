//! The watch: at random moments of a storm it looks whether anybody is over a limit. By three looks that do not wait for each other:
//! at the counters, at what runs, and at the records that the counters count.

use super::running::{Workers, over};
use super::{Host, People, books};
use faregate_core::model::{Counts, Scope, TaskRole};
use faregate_world::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What the watch saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Looks at all counters.
    pub counters: usize,
    /// Looks at what runs.
    pub running: usize,
    /// Counters that were found to say what the records say.
    pub books: usize,
    /// The most workers that ran at once.
    pub workers: usize,
    /// The most schedulers that ran at once.
    pub schedulers: usize,
    /// Users and groups who had all that a limit allows them.
    pub full: BTreeSet<String>,
    /// What was over a limit.
    broken: Vec<String>,
}

impl Seen {
    /// There was something to see, and nothing that must not be.
    pub fn assert_that_it_was_watched(&self) {
        assert!(self.broken.is_empty(), "{}", self.broken.join("\n"));
        let looks = self.counters >= 20 && self.running >= 20 && self.books >= 5;
        assert!(looks && self.workers > 0 && self.full.len() >= 5, "{self:?}");
    }
}

/// A watch that goes on.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looking: [JoinHandle<Seen>; 3],
}

impl Watch {
    pub fn begin(host: Host, people: People, seed: u64) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let watcher = |n: u64| Watcher {
            ceilings: people.ceilings(),
            host: host.clone(),
            people: people.clone(),
            dice: Dice::new(!seed ^ n << 32),
            stop: stop.clone(),
            seen: Seen::default(),
        };
        let looking = [
            tokio::spawn(watcher(0).watch_counters()),
            tokio::spawn(watcher(1).watch_what_runs()),
            tokio::spawn(watcher(2).watch_books()),
        ];
        Watch { stop, looking }
    }

    pub async fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let [counters, running, books] = self.looking;
        let (counters, running, books) = (counters.await.unwrap(), running.await.unwrap(), books.await.unwrap());
        Seen {
            books: books.books,
            full: counters.full,
            counters: counters.counters,
            broken: [counters.broken, running.broken, books.broken].concat(),
            ..running
        }
    }
}

struct Watcher {
    host: Host,
    people: People,
    ceilings: BTreeMap<Scope, Counts>,
    dice: Dice,
    stop: Arc<AtomicBool>,
    seen: Seen,
}

impl Watcher {
    /// Waits for a random moment within a fraction of the pace; false when the storm is over.
    async fn goes_on(&mut self, of_pace: u32) -> bool {
        let most = (self.host.pace / of_pace).as_millis() as i64;
        tokio::time::sleep(Duration::from_millis(self.dice.below(most) as u64)).await;
        !self.stop.load(Ordering::SeqCst)
    }

    async fn watch_counters(mut self) -> Seen {
        let scopes: Vec<Scope> = self.ceilings.keys().cloned().collect();
        while self.goes_on(10).await {
            self.seen.counters += 1;
            let usage = self.host.store.usage(&scopes).await.unwrap().into_iter().map(|usage| usage.value);
            let used: BTreeMap<Scope, Counts> = usage.map(|usage| (usage.scope, usage.counts)).collect();
            self.seen.broken.extend(over(&self.ceilings, &used, "a counter"));
            for (scope, used) in used {
                if used.any_negative() {
                    self.seen.broken.push(format!("a counter: {scope} has {used:?}"));
                }
                let left = self.ceilings[&scope] - used;
                if [left.clusters, left.workers, left.millicores, left.memory_bytes].contains(&0) {
                    self.seen.full.insert(scope.to_string());
                }
            }
        }
        self.seen
    }

    async fn watch_what_runs(mut self) -> Seen {
        let mut known = Workers::default();
        while self.goes_on(10).await {
            self.seen.running += 1;
            let running = self.host.running.clone();
            let running = tokio::task::spawn_blocking(move || running()).await.unwrap();
            let mut used: BTreeMap<Scope, Counts> = BTreeMap::new();
            let of = |role: TaskRole| running.iter().filter(|task| task.1 == role).count();
            self.seen.workers = self.seen.workers.max(of(TaskRole::Worker));
            self.seen.schedulers = self.seen.schedulers.max(of(TaskRole::Scheduler));
            for (name, role) in running {
                let found = known.of(&self.host, &self.people, &name).await;
                let (keys, unit) = &*found;
                // a scheduler is a cluster that runs
                let unit = if role == TaskRole::Worker { *unit } else { Counts::CLUSTER };
                for key in keys {
                    let sum = used.entry(key.clone()).or_default();
                    *sum = *sum + unit;
                }
            }
            self.seen.broken.extend(over(&self.ceilings, &used, "what runs"));
        }
        self.seen
    }

    async fn watch_books(mut self) -> Seen {
        let scopes: Vec<Scope> = self.ceilings.keys().cloned().collect();
        while self.goes_on(5).await {
            let scope = &scopes[self.dice.below(scopes.len() as i64) as usize];
            match books::compare(&self.host, &self.people, scope).await {
                Some(Ok(())) => self.seen.books += 1,
                Some(Err(wrong)) => self.seen.broken.push(wrong),
                // somebody was charged meanwhile
                None => {}
            }
        }
        self.seen
    }
}
