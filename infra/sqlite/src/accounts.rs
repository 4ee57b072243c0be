//! Passwords and machine tokens.

use super::SqliteStore;
use super::rows::{Row, parse};
use async_trait::async_trait;
use faregate_core::model::{Account, Failures, Key, MachineToken, Stored};
use faregate_core::ports::{Accounts, StoreError};
use rusqlite::params;
use serde::de::DeserializeOwned;

fn stored<T: DeserializeOwned>(row: Row) -> Result<Stored<T>, StoreError> {
    Ok(Stored { value: parse(&row)?, version: row.version })
}

impl SqliteStore {
    fn one<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<Stored<T>>, StoreError> {
        self.row(key)?.map(stored).transpose()
    }

    fn all<T: DeserializeOwned>(&self, partition: &str) -> Result<Vec<Stored<T>>, StoreError> {
        let found = self.read(|c| {
            c.prepare_cached("SELECT sort, version, seen_at, body FROM items WHERE partition = ?1 ORDER BY sort")?
                .query_map(params![partition], Row::read)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        found.into_iter().map(stored).collect()
    }
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn account(&self, user: &str) -> Result<Option<Stored<Account>>, StoreError> {
        self.one(&Key::account(user))
    }

    async fn accounts(&self) -> Result<Vec<Stored<Account>>, StoreError> {
        self.all(&Key::account("").partition)
    }

    async fn machine_token(&self, id: &str) -> Result<Option<Stored<MachineToken>>, StoreError> {
        self.one(&Key::machine_token(id))
    }

    async fn machine_tokens(&self) -> Result<Vec<Stored<MachineToken>>, StoreError> {
        self.all(&Key::machine_token("").partition)
    }

    async fn failures(&self, user: Option<&str>, peer: Option<&str>) -> Result<Option<Stored<Failures>>, StoreError> {
        self.one(&Key::failures(user, peer))
    }

    async fn all_failures(&self) -> Result<Vec<Stored<Failures>>, StoreError> {
        self.all(&Key::failures(None, None).partition)
    }
}
