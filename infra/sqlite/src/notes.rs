//! What the host itself keeps beside the records, so that it cannot be lost without them.

use super::{SqliteStore, failed};
use faregate_core::ports::StoreError;
use rusqlite::{OptionalExtension, params};

/// The partition.
const NOTES: &str = "host";
/// The note of the keys' fingerprints.
const KEYS: &str = "keys";

impl SqliteStore {
    /// A note; none = it was never written.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| {
            c.prepare_cached("SELECT body FROM items WHERE partition = ?1 AND sort = ?2")?
                .query_row(params![NOTES, name], |row| Ok(row.get_ref(0)?.as_bytes()?.to_vec()))
                .optional()
        })
    }

    /// Writes a note, in place of the last of this name.
    pub async fn put_note(&self, name: &str, body: Vec<u8>) -> Result<(), StoreError> {
        let name = name.to_owned();
        let put = move |c: &rusqlite::Connection| {
            c.execute(
                "INSERT INTO items (partition, sort, version, body) VALUES (?1, ?2, 1, ?3) \
                 ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body",
                params![NOTES, name, body],
            )
            .map(drop)
            .map_err(|e| failed(&e))
        };
        self.writer.write(true, put).await
    }

    /// Fingerprints of the keys that the records were last used with; empty at first.
    pub fn known_keys(&self) -> Result<Vec<String>, StoreError> {
        let note = self.note(KEYS)?;
        note.map_or(Ok(Vec::new()), |note| serde_json::from_slice(&note).map_err(|e| failed(&e)))
    }

    /// Notes them.
    pub async fn put_known_keys(&self, keys: &[String]) -> Result<(), StoreError> {
        self.put_note(KEYS, serde_json::to_vec(keys).map_err(|e| failed(&e))?).await
    }

    /// Was anything ever written?
    pub fn is_used(&self) -> Result<bool, StoreError> {
        self.read(|c| {
            c.query_row("SELECT EXISTS (SELECT 1 FROM items) OR EXISTS (SELECT 1 FROM audit)", [], |row| row.get(0))
        })
    }
}
