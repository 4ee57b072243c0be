//! Limits of the configuration file, brought into the store, where limits can be edited too.
//!
//! The file has the last word about what it changed since the last start; what it did not change keeps the edits made meanwhile.

use super::data_dir::DataDir;
use faregate_core::model::{Limits, Scope};
use faregate_core::ports::{Store, StoreError};
use faregate_sqlite::SqliteStore;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// The limits were not brought in.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// What was last brought in cannot be remembered.
    #[error("the file `{}` cannot be used", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store failed.
    #[error("the configured limits were not stored")]
    Store(#[from] StoreError),
}

/// The note of what was last brought in. It is in the store: lost with the limits, and never without them.
const NOTE: &str = "limits-from-config";

/// Brings in what differs from the last time; repeated whole after a crash in between.
pub async fn apply(
    data: &DataDir,
    store: &SqliteStore,
    configured: &BTreeMap<Scope, Limits>,
) -> Result<(), LimitsError> {
    // where earlier versions kept it
    let path = data.file("limits-from-config.json");
    let failed = |source| LimitsError::File { path: path.clone(), source };
    let note = match store.note(NOTE)? {
        Some(json) => Some(json),
        None => match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other.map_err(failed)?),
        },
    };
    let last: BTreeMap<Scope, Limits> = match note {
        Some(json) => serde_json::from_slice(&json).map_err(|error| failed(error.into()))?,
        None => BTreeMap::new(),
    };
    if last == *configured && !path.exists() {
        return Ok(());
    }
    for (scope, limits) in configured {
        if last.get(scope) != Some(limits) {
            store.put_limits(scope, Some(limits)).await?;
        }
    }
    for scope in last.keys().filter(|scope| !configured.contains_key(scope)) {
        store.put_limits(scope, None).await?;
    }
    let json = serde_json::to_vec_pretty(configured).map_err(|error| failed(error.into()))?;
    store.put_note(NOTE, json).await?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(most: i64) -> Limits {
        Limits { clusters: Some(most), ..Limits::default() }
    }

    #[tokio::test]
    async fn the_file_has_the_last_word_about_what_it_changed_and_edits_survive_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("data"), false).unwrap();
        let store = SqliteStore::open(&data.file("store.sqlite")).unwrap();
        let scope = |name: &str| Scope::try_from(name.to_owned()).unwrap();
        let (default, group, user) = (scope("default"), scope("group:a"), scope("user:b"));
        let mut file = BTreeMap::from([(default.clone(), clusters(1)), (group.clone(), clusters(2))]);
        apply(&data, &store, &file).await.unwrap();
        assert_eq!(store.limits().await.unwrap().in_force, file);

        // edited in the store meanwhile: one that the file has, one that it has not
        store.put_limits(&default, Some(&clusters(7))).await.unwrap();
        store.put_limits(&user, Some(&clusters(8))).await.unwrap();
        file.insert(group.clone(), clusters(3));
        apply(&data, &store, &file).await.unwrap();
        let expected =
            BTreeMap::from([(default.clone(), clusters(7)), (group.clone(), clusters(3)), (user.clone(), clusters(8))]);
        assert_eq!(store.limits().await.unwrap().in_force, expected);

        apply(&data, &store, &BTreeMap::new()).await.unwrap();
        assert_eq!(store.limits().await.unwrap().in_force, BTreeMap::from([(user, clusters(8))]));
    }

    #[tokio::test]
    async fn what_an_earlier_version_kept_in_a_file_is_taken_into_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("data"), false).unwrap();
        let store = SqliteStore::open(&data.file("store.sqlite")).unwrap();
        let default = Scope::try_from("default".to_owned()).unwrap();
        let file = BTreeMap::from([(default.clone(), clusters(1))]);
        std::fs::write(data.file("limits-from-config.json"), serde_json::to_vec(&file).unwrap()).unwrap();
        // edited since, and not changed in the file
        store.put_limits(&default, Some(&clusters(7))).await.unwrap();
        apply(&data, &store, &file).await.unwrap();
        assert!(!data.file("limits-from-config.json").exists());
        apply(&data, &store, &file).await.unwrap();
        assert_eq!(store.limits().await.unwrap().in_force, BTreeMap::from([(default, clusters(7))]));
    }
}
