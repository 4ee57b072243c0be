//! The watch: at random moments of a storm it looks whether anybody is over a limit.

use super::running::{Workers, over};
use super::{Host, People, books};
use crate::world::Dice;
use faregate::model::{Counts, Scope, TaskRole};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What the watch saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Looks at everything.
    pub looks: usize,
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
        assert!(self.looks >= 50 && self.books >= 50 && self.workers >= 5 && self.full.len() >= 5, "{self:?}");
    }
}

/// A watch that goes on.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<Seen>,
}

impl Watch {
    pub fn begin(host: Host, people: People, seed: u64) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let watcher =
            Watcher { ceilings: people.ceilings(), host, people, known: Workers::default(), seen: Seen::default() };
        Watch { looking: tokio::spawn(watcher.watch(Dice::new(!seed), stop.clone())), stop }
    }

    pub async fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.looking.await.unwrap()
    }
}

struct Watcher {
    host: Host,
    people: People,
    ceilings: BTreeMap<Scope, Counts>,
    known: Workers,
    seen: Seen,
}

impl Watcher {
    async fn watch(mut self, mut dice: Dice, stop: Arc<AtomicBool>) -> Seen {
        let scopes: Vec<Scope> = self.ceilings.keys().cloned().collect();
        while !stop.load(Ordering::SeqCst) {
            self.look_at_counters(&scopes).await;
            self.look_at_what_runs().await;
            let scope = &scopes[dice.below(scopes.len() as i64) as usize];
            match books::compare(&self.host, &self.people, scope).await {
                Some(Ok(())) => self.seen.books += 1,
                Some(Err(wrong)) => self.seen.broken.push(wrong),
                // somebody was charged meanwhile
                None => {}
            }
            self.seen.looks += 1;
            tokio::time::sleep(Duration::from_millis(dice.below(40) as u64)).await;
        }
        self.seen
    }

    async fn look_at_counters(&mut self, scopes: &[Scope]) {
        let usage = self.host.store.usage(scopes).await.unwrap().into_iter().map(|usage| usage.value);
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

    async fn look_at_what_runs(&mut self) {
        let running = self.host.running.clone();
        let running = tokio::task::spawn_blocking(move || running()).await.unwrap();
        let mut used: BTreeMap<Scope, Counts> = BTreeMap::new();
        let (mut workers, mut schedulers) = (0, 0);
        for (name, role) in running {
            let found = self.known.of(&self.host, &self.people, &name).await;
            let (keys, unit) = &*found;
            // a scheduler is a cluster that runs
            let unit = if role == TaskRole::Worker { *unit } else { Counts::CLUSTER };
            *(if role == TaskRole::Worker { &mut workers } else { &mut schedulers }) += 1;
            for key in keys {
                let sum = used.entry(key.clone()).or_default();
                *sum = *sum + unit;
            }
        }
        self.seen.workers = self.seen.workers.max(workers);
        self.seen.schedulers = self.seen.schedulers.max(schedulers);
        self.seen.broken.extend(over(&self.ceilings, &used, "what runs"));
    }
}
