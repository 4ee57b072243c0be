//! Passwords and machine tokens.

use crate::DynamoStore;
use crate::items::{key, stored};
use async_trait::async_trait;
use faregate_core::model::{Account, Failures, Key, MachineToken, Stored};
use faregate_core::ports::{Accounts, StoreError};
use serde::de::DeserializeOwned;

impl DynamoStore {
    async fn one<T: DeserializeOwned>(&self, at: &Key) -> Result<Option<Stored<T>>, StoreError> {
        self.get(at).await?.map(|item| stored(item, &[])).transpose()
    }

    async fn all<T: DeserializeOwned>(&self, at: Key) -> Result<Vec<Stored<T>>, StoreError> {
        let (mut found, mut start) = (Vec::new(), None);
        loop {
            let (items, last) = self.query(&at.partition, start, None).await?;
            for item in items {
                found.push(stored(item, &[])?);
            }
            let Some(sort) = last else { return Ok(found) };
            start = Some(key(&Key { sort, ..at.clone() }));
        }
    }
}

#[async_trait]
impl Accounts for DynamoStore {
    async fn account(&self, user: &str) -> Result<Option<Stored<Account>>, StoreError> {
        self.one(&Key::account(user)).await
    }

    async fn accounts(&self) -> Result<Vec<Stored<Account>>, StoreError> {
        self.all(Key::account("")).await
    }

    async fn machine_token(&self, id: &str) -> Result<Option<Stored<MachineToken>>, StoreError> {
        self.one(&Key::machine_token(id)).await
    }

    async fn machine_tokens(&self) -> Result<Vec<Stored<MachineToken>>, StoreError> {
        self.all(Key::machine_token("")).await
    }

    async fn failures(&self, user: Option<&str>, peer: Option<&str>) -> Result<Option<Stored<Failures>>, StoreError> {
        self.one(&Key::failures(user, peer)).await
    }

    async fn all_failures(&self) -> Result<Vec<Stored<Failures>>, StoreError> {
        self.all(Key::failures(None, None)).await
    }
}
