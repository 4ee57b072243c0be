//! What was read of the records, for up to a minute.

use faregate_core::model::clock::is_younger;
use faregate_core::model::{Ms, Stored};
use quick_cache::sync::Cache;

/// How long what was read is believed: nobody keeps what was taken from them for longer.
pub(super) const BELIEVED_MS: Ms = 60_000;
/// Records remembered.
const MOST: usize = 4_096;

/// When it was read, and what was there.
type Read<T> = (Ms, Option<Stored<T>>);

/// Records by their keys, with the moment of each one's reading; also of those that are not there.
pub(super) struct Remembered<T>(Cache<String, Read<T>>);

impl<T: Clone> Default for Remembered<T> {
    fn default() -> Self {
        Remembered(Cache::new(MOST))
    }
}

impl<T: Clone> Remembered<T> {
    /// What was read of it, no earlier than `since` and less than a minute ago.
    pub fn get(&self, key: &str, since: Ms, now: Ms) -> Option<Option<Stored<T>>> {
        let (at, found) = self.0.get(key)?;
        (at >= since && is_younger(at, BELIEVED_MS, now)).then_some(found)
    }

    /// This was read at `at`, or later.
    pub fn put(&self, key: &str, at: Ms, found: Option<Stored<T>>) {
        self.0.insert(key.to_owned(), (at, found));
    }

    /// It has changed.
    pub fn forget(&self, key: &str) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_believed_for_a_minute_and_by_those_who_came_before_it() {
        let known = Remembered::default();
        known.put("a", 1_000, Some(Stored { value: 7, version: 1 }));
        known.put("b", 1_000, None);
        assert_eq!(known.get("a", 1_000, 60_999).unwrap().unwrap().value, 7);
        assert_eq!(known.get("b", 0, 1_000), Some(None), "not there is an answer too");
        assert!(known.get("a", 1_000, 61_000).is_none());
        assert!(known.get("a", 1_001, 2_000).is_none());
        assert!(known.get("c", 0, 1_000).is_none());
        known.forget("a");
        assert!(known.get("a", 0, 1_000).is_none());
    }

    #[test]
    fn it_is_bounded() {
        let known = Remembered::default();
        for n in 0..2 * MOST {
            known.put(&n.to_string(), 0, Some(Stored { value: n, version: 1 }));
            assert!(known.0.len() <= MOST);
        }
    }
}
