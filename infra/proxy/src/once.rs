//! What may be used but once, and what a proxy is given of the world outside.

use crate::routes::RouteSource;
use async_trait::async_trait;
use faregate_core::model::Ms;
use faregate_core::ports::{Once, StoreError};
use faregate_keys::TICKET_LIFE_MS;
use faregate_machine::now;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Remembers in this process: for a proxy that is alone.
#[derive(Debug)]
pub struct MemoryOnce {
    /// What was issued earlier may have been used at a process before this one.
    since: Ms,
    /// When it began: once it is older than any ticket lives, nothing that is good was issued earlier, whatever the clock says.
    began: Instant,
    /// Until when each is of interest.
    used: Mutex<HashMap<String, Ms>>,
}

impl Default for MemoryOnce {
    fn default() -> Self {
        MemoryOnce { since: now(), began: Instant::now(), used: Mutex::default() }
    }
}

impl MemoryOnce {
    fn first(&self, what: &str, until: Ms, now: Ms) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| now < *until);
        let is_old = self.began.elapsed().as_millis() as Ms > TICKET_LIFE_MS;
        (is_old || until - TICKET_LIFE_MS >= self.since) && used.insert(what.to_owned(), until).is_none()
    }
}

#[async_trait]
impl Once for MemoryOnce {
    async fn use_once(&self, what: &str, until: Ms) -> Result<bool, StoreError> {
        Ok(self.first(what, until, now()))
    }
}

/// The world outside.
#[derive(Clone)]
pub struct Outside {
    /// Where clusters are.
    pub routes: Arc<dyn RouteSource>,
    /// Which tickets were used.
    pub once: Arc<dyn Once>,
}

impl<R: RouteSource + 'static> From<Arc<R>> for Outside {
    /// For a proxy that is alone.
    fn from(routes: Arc<R>) -> Self {
        Outside { routes, once: Arc::new(MemoryOnce::default()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_used_once_and_forgotten_when_it_is_worth_nothing() {
        let once = MemoryOnce { since: 1_000, began: Instant::now(), used: Mutex::default() };
        let until = 1_000 + TICKET_LIFE_MS;
        assert!(once.first("a", until, 1_000));
        assert!(!once.first("a", until, 1_001));
        assert!(once.first("b", until, 1_002));
        assert!(once.first("c", 2 * until, until));
        assert_eq!(once.used.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_was_issued_before_the_start_was_used_perhaps() {
        let once = MemoryOnce { since: 1_000, began: Instant::now(), used: Mutex::default() };
        assert!(!once.first("a", 999 + TICKET_LIFE_MS, 1_000));
    }
}
