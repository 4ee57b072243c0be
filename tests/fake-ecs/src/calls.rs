//! What was called: counts, bodies, peak rates. Pure.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The calls that came in, also those that were refused.
#[derive(Debug, Default)]
pub struct Calls(BTreeMap<String, Action>);

#[derive(Debug, Default)]
struct Action {
    bodies: Vec<String>,
    last_second: VecDeque<f64>,
    peak: usize,
    throttled: u64,
}

/// The calls of one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// How many.
    pub calls: u64,
    /// The most within one second.
    pub peak_per_second: u64,
    /// How many were throttled.
    pub throttled: u64,
}

impl Calls {
    /// A call came in.
    pub fn record(&mut self, action: &str, body: &str, now: f64) {
        let action = self.0.entry(action.to_owned()).or_default();
        action.bodies.push(body.to_owned());
        action.last_second.push_back(now);
        while action.last_second.front().is_some_and(|at| *at <= now - 1.0) {
            action.last_second.pop_front();
        }
        action.peak = action.peak.max(action.last_second.len());
    }

    /// A call was throttled.
    pub fn throttled(&mut self, action: &str) {
        self.0.entry(action.to_owned()).or_default().throttled += 1;
    }

    /// The counts by action.
    pub fn counts(&self) -> BTreeMap<String, Count> {
        let count = |action: &Action| Count {
            calls: action.bodies.len() as u64,
            peak_per_second: action.peak as u64,
            throttled: action.throttled,
        };
        self.0.iter().map(|(name, action)| (name.clone(), count(action))).collect()
    }

    /// The bodies of an action's calls, in order.
    pub fn bodies(&self, action: &str) -> Vec<String> {
        self.0.get(action).map_or_else(Vec::new, |action| action.bodies.clone())
    }

    /// All bodies by action.
    pub fn all_bodies(&self) -> BTreeMap<String, Vec<String>> {
        self.0.iter().map(|(name, action)| (name.clone(), action.bodies.clone())).collect()
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_most_within_any_one_second() {
        let mut calls = Calls::default();
        [0.0, 0.1, 0.2, 1.05, 1.15, 5.0].iter().for_each(|at| calls.record("RunTask", "{}", *at));
        calls.throttled("RunTask");
        let count = calls.counts()["RunTask"];
        assert_eq!(count, Count { calls: 6, peak_per_second: 3, throttled: 1 });
        assert_eq!(calls.bodies("RunTask").len(), 6);
    }
}
