//! Which tickets were used, in the table, so that every proxy knows.

use async_trait::async_trait;
use faregate_core::model::{Ms, Record, Used};
use faregate_core::ports::{Expect, Store, TransactError, Write};
use faregate_dynamodb::DynamoStore;
use faregate_proxy::Once;

/// Between two proxies that write the same item at once, one must try again: so often.
const TRIES: u32 = 3;

/// A store's memory of what was used.
pub struct TableOnce<S = DynamoStore>(S);

impl<S> TableOnce<S> {
    /// In this store.
    pub fn new(store: S) -> Self {
        TableOnce(store)
    }
}

#[async_trait]
impl<S: Store> Once for TableOnce<S> {
    async fn use_once(&self, what: &str, until: Ms) -> Result<bool, String> {
        let used = Used { what: what.to_owned(), expires_at: until };
        let mut left = TRIES;
        loop {
            let write = Write::Put { record: Record::Used(used.clone()), expect: Expect::Absent };
            left -= 1;
            match self.0.transact(vec![write]).await {
                Ok(()) => return Ok(true),
                Err(TransactError::Conflicts(_)) => return Ok(false),
                Err(TransactError::Contention) if left > 0 => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
