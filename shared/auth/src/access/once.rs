//! What may be used but once, kept with the other records.

use super::Access;
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::{Ms, hex};
use faregate_core::ports::{Once, StoreError, use_once};

#[async_trait]
impl Once for Access {
    async fn use_once(&self, what: &str, until: Ms) -> Result<bool, StoreError> {
        use_once(&*self.records, &*self.host, hex(digest(&SHA256, what.as_bytes()).as_ref()), until).await
    }
}
