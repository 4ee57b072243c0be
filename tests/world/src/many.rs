//! Many worlds at once, and the rules that can be taken away.

use super::{Outcome, run};
use faregate_core::model::Rules;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A rule's name, and how it is taken away.
pub type Rule = (&'static str, fn(&mut Rules));

/// Every safety rule.
pub const RULES: [Rule; 19] = [
    ("sole_call", |r| r.sole_call = false),
    ("wait_for_late_calls", |r| r.wait_for_late_calls = false),
    ("active_until_rest", |r| r.active_until_rest = false),
    ("waits_are_due", |r| r.waits_are_due = false),
    ("missing_twice", |r| r.missing_twice = false),
    ("stop_again", |r| r.stop_again = false),
    ("closed_is_restarting", |r| r.closed_is_restarting = false),
    ("content_with_digest", |r| r.content_with_digest = false),
    ("heartbeat_wakes_again", |r| r.heartbeat_wakes_again = false),
    ("event_always_wakes", |r| r.event_always_wakes = false),
    ("adopt_expired", |r| r.adopt_expired = false),
    ("ask_before_failing", |r| r.ask_before_failing = false),
    ("credentials_until_rest", |r| r.credentials_until_rest = false),
    ("charge_conditionally", |r| r.charge_conditionally = false),
    ("recount_on_version", |r| r.recount_on_version = false),
    ("no_answer_is_not_idle", |r| r.no_answer_is_not_idle = false),
    ("bill_differences", |r| r.bill_differences = false),
    ("corrections_are_due", |r| r.corrections_are_due = false),
    ("shrink_newest", |r| r.shrink_newest = false),
];

/// Lives the worlds of `seeds` on every processor, until `enough` have broken a promise. Those that did, by seed.
pub fn run_many(seeds: Range<u64>, rules: Rules, enough: usize) -> Vec<Outcome> {
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
                    let outcome = run(seed, rules, false);
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
