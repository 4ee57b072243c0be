//! What may be used but once.

use super::Access;
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::{Ms, Record, Used, hex};
use faregate_core::ports::{Expect, Retries, StoreError, TransactError, Write};

impl Access {
    /// Is this the first use of it, anywhere? It is remembered until `until`, when it can no longer be used anyway.
    ///
    /// After an error nobody knows: it may count as used.
    pub async fn use_once(&self, what: &str, until: Ms) -> Result<bool, StoreError> {
        let used = Used { what: hex(digest(&SHA256, what.as_bytes()).as_ref()), expires_at: until };
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let write = Write::Put { record: Record::Used(used.clone()), expect: Expect::Absent };
            match self.records.transact(vec![write]).await {
                Ok(()) => return Ok(true),
                Err(TransactError::Conflicts(_)) => return Ok(false),
                Err(TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::Failed("others are at the same item all the time".into()))
    }
}
