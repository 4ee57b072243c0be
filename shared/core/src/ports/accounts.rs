//! Who may enter, as it is kept beside the other records: passwords, machine tokens, and what was used already.

use super::{Store, StoreError};
use crate::model::{Account, Failures, MachineToken, Stored};
use async_trait::async_trait;

/// A store of accounts and tokens. They are written as every other record is: by [`Store::transact`], on their version.
#[async_trait]
pub trait Accounts: Store {
    /// A user's password; also the record of a user who was removed.
    async fn account(&self, user: &str) -> Result<Option<Stored<Account>>, StoreError>;

    /// Everybody's, by name.
    async fn accounts(&self) -> Result<Vec<Stored<Account>>, StoreError>;

    /// One machine token.
    async fn machine_token(&self, id: &str) -> Result<Option<Stored<MachineToken>>, StoreError>;

    /// All machine tokens, by id.
    async fn machine_tokens(&self) -> Result<Vec<Stored<MachineToken>>, StoreError>;

    /// What has failed of a user's sign-ins, of a peer's, or of both.
    async fn failures(&self, user: Option<&str>, peer: Option<&str>) -> Result<Option<Stored<Failures>>, StoreError>;

    /// All that has failed, by peer and user.
    async fn all_failures(&self) -> Result<Vec<Stored<Failures>>, StoreError>;
}
