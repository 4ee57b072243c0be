//! Clusters that were read before, so that what has not changed is not parsed again: a list of a hundred is mostly parsing.
//!
//! Every write raises a record's version, whoever makes it, and a name is never used twice: a name and a version are one content.

use super::rows::{self, Row};
use faregate_core::model::{Cluster, Stored, Version};
use faregate_core::ports::StoreError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clusters kept; a few KiB each. When there are more, all are forgotten.
const KEEP: usize = 2048;

/// By name, at the version that was read last.
#[derive(Default)]
pub(super) struct Parsed(Mutex<HashMap<String, Stored<Arc<Cluster>>>>);

/// A cluster's row, as far as it had to be read.
pub(super) enum Found {
    /// Known at this version.
    Known(Stored<Arc<Cluster>>),
    /// To be parsed.
    New(Row),
}

impl Parsed {
    /// Reads a row of `sort, version, seen_at, body`; its body only when it is not known.
    pub fn find(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
        let version: i64 = row.get(1)?;
        let known = self.known(row.get_ref(0)?.as_str()?, version as Version);
        Ok(match known {
            Some(known) => Found::Known(known),
            None => Found::New(Row::read(row)?),
        })
    }

    fn known(&self, name: &str, version: Version) -> Option<Stored<Arc<Cluster>>> {
        self.lock().get(name).filter(|known| known.version == version).cloned()
    }

    /// The cluster, parsed now if need be.
    pub fn cluster(&self, found: Found) -> Result<Stored<Arc<Cluster>>, StoreError> {
        let row = match found {
            Found::Known(known) => return Ok(known),
            Found::New(row) => row,
        };
        let name = row.sort.clone();
        let Stored { value, version } = rows::cluster(row)?;
        let cluster = Stored { value: Arc::new(value), version };
        let mut known = self.lock();
        if known.len() >= KEEP {
            known.clear();
        }
        known.insert(name, cluster.clone());
        Ok(cluster)
    }

    /// A panic under the lock leaves a map that is still a map.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stored<Arc<Cluster>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
