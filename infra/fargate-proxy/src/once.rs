//! Which tickets were used, in the table, so that every proxy knows.

use async_trait::async_trait;
use faregate_core::model::Ms;
use faregate_core::ports::{Once, StoreError, use_once};
use faregate_dynamodb::DynamoStore;
use faregate_machine::Machine;

/// The table's memory of what was used.
pub struct TableOnce {
    store: DynamoStore,
    host: Machine,
}

impl TableOnce {
    /// In this table.
    pub fn new(store: DynamoStore) -> Self {
        TableOnce { store, host: Machine::default() }
    }
}

#[async_trait]
impl Once for TableOnce {
    async fn use_once(&self, what: &str, until: Ms) -> Result<bool, StoreError> {
        use_once(&self.store, &self.host, what.to_owned(), until).await
    }
}
