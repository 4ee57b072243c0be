//! What may be used but once: tickets, sign-ins that are under way, Kerberos tokens.

use super::{Expect, Host, Retries, Store, StoreError, TransactError, Write};
use crate::model::{Ms, Record, Used};
use async_trait::async_trait;

/// Remembers what was used.
#[async_trait]
pub trait Once: Send + Sync {
    /// Is this its first use, anywhere? It is worth nothing from `until` on, and forgotten then. After an error nobody knows: it may count as
    /// used.
    async fn use_once(&self, what: &str, until: Ms) -> Result<bool, StoreError>;
}

/// Remembers in a store's records: whoever writes the record is the first.
pub async fn use_once(
    store: &(impl Store + ?Sized),
    host: &dyn Host,
    what: String,
    until: Ms,
) -> Result<bool, StoreError> {
    let used = Used { what, expires_at: until };
    let mut retries = Retries::new(host);
    while retries.next().await {
        let write = Write::Put { record: Record::Used(used.clone()), expect: Expect::Absent };
        match store.transact(vec![write]).await {
            Ok(()) => return Ok(true),
            Err(TransactError::Conflicts(_)) => return Ok(false),
            Err(TransactError::Contention) => {}
            Err(TransactError::Failed(error)) => return Err(error),
        }
    }
    Err(StoreError::Failed("others are at the same item all the time".into()))
}
