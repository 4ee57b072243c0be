//! What admins did.

use super::super::ServiceError;
use super::Admin;
use faregate_core::model::{Audit, Month};
use serde::Serialize;

/// A month's audit records, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditList {
    /// The month.
    pub month: Month,
    /// The records.
    pub audit: Vec<Audit>,
}

impl Admin {
    /// Everything that was done in a month.
    pub async fn audits(&self, month: Month) -> Result<AuditList, ServiceError> {
        let mut audit = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.store.audits(month, cursor.as_deref()).await?;
            audit.extend(page.items);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(AuditList { month, audit });
            }
        }
    }
}
