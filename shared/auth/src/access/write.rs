//! Conditional writes, tried again while others are at the same record.

use super::{Access, AccessError};
use faregate_core::model::{Act, Record};
use faregate_core::ports::{Expect, Retries, TransactError, Write};
use serde_json::Value;

impl Access {
    /// Writes an admin's action down. Whoever carries it out does so afterwards.
    pub(super) async fn record(
        &self,
        act: &Act,
        action: &str,
        target: String,
        details: Value,
    ) -> Result<(), AccessError> {
        let audit = act.audit(&*self.host, action, target, details);
        self.records.audit(&audit).await?;
        tracing::info!(who = audit.who, action, target = audit.target, why = audit.why, "admin action");
        Ok(())
    }

    /// Writes one record. `false`: the condition did not hold.
    pub(super) async fn write(&self, record: Record, expect: Expect) -> Result<bool, AccessError> {
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            match self.records.transact(vec![Write::Put { record: record.clone(), expect }]).await {
                Ok(()) => return Ok(true),
                Err(TransactError::Conflicts(_)) => return Ok(false),
                Err(TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(AccessError::Contended)
    }

    /// Random bytes.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.host.random().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}
