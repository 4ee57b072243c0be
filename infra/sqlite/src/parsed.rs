//! Clusters that were read before, so that what has not changed is not parsed again: a list of a hundred is mostly parsing.
//!
//! Every write raises a record's version, whoever makes it, and a name is never used twice: a name and a version are one content.

use super::rows::{self, Row};
use faregate_core::model::{Cluster, Stored, Version};
use faregate_core::ports::StoreError;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Clusters kept; a few KiB each.
const KEEP: usize = 2048;

/// By name, at the version that was read last.
pub(super) struct Parsed(Cache<String, Stored<Arc<Cluster>>>);

impl Default for Parsed {
    fn default() -> Self {
        Parsed(Cache::new(KEEP))
    }
}

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
        let known = self.0.get(row.get_ref(0)?.as_str()?);
        Ok(match known.filter(|known| known.version == version as Version) {
            Some(known) => Found::Known(known),
            None => Found::New(Row::read(row)?),
        })
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
        self.0.insert(name, cluster.clone());
        Ok(cluster)
    }
}
