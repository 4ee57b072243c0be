//! Many worlds at once.

use super::{Outcome, run};
use faregate_core::model::SafetySwitches;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lives the worlds of `seeds` on every processor, until `enough` have broken a promise. Those that did, by seed.
pub fn run_many(seeds: Range<u64>, switches: SafetySwitches, enough: usize) -> Vec<Outcome> {
    let next = AtomicU64::new(seeds.start);
    let failed: Mutex<Vec<Outcome>> = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while super::executor::lock(&failed).len() < enough {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let outcome = run(seed, switches, false);
                    if !outcome.broken.is_empty() {
                        super::executor::lock(&failed).push(outcome);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_default();
    failed.sort_by_key(|outcome| outcome.seed);
    failed
}
