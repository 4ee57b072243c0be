//! Log lines that a flood would write thousands of.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about the same thing.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts events, of which a line tells every ten seconds at most.
#[derive(Debug)]
pub(crate) struct Sparse(Mutex<(u64, Option<Instant>)>);

impl Sparse {
    pub(crate) const fn new() -> Self {
        Sparse(Mutex::new((0, None)))
    }

    /// One more: how many there were since the last line, when it is time for the next.
    pub(crate) fn one(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.1.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        let count = state.0;
        *state = (0, Some(Instant::now()));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_are_counted() {
        let sparse = Sparse::new();
        assert_eq!((sparse.one(), sparse.one(), sparse.one()), (Some(1), None, None));
    }
}
