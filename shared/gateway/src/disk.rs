//! What the host measured of clusters' files, where they are on a disk of the gateway's.

use super::{Enforcer, ServiceError};
use faregate_core::model::{ClusterName, Reason, Status};
use faregate_core::reconcile::enforce::{DiskUse, DiskVerdict, check_disk};
use std::collections::HashMap;
use std::sync::PoisonError;

impl Enforcer {
    /// Takes in one look at all clusters: one that is over its limit ends, one that is near it is warned by the next enforcement run.
    pub async fn disk_measured(&self, found: Vec<(ClusterName, DiskUse)>) -> Result<(), ServiceError> {
        let (mut warnings, mut outcome) = (HashMap::new(), Ok(()));
        for (name, found) in found {
            match check_disk(&found) {
                DiskVerdict::Fine => {}
                DiskVerdict::Warn(reason) => {
                    warnings.insert(name, reason);
                }
                DiskVerdict::End(reason) => {
                    // one that cannot be ended keeps no other one running
                    outcome = outcome.and(self.context.end(&name, None, Status::Failed, reason).await.map(drop));
                }
            }
        }
        *self.disk_warnings.lock().unwrap_or_else(PoisonError::into_inner) = warnings;
        outcome
    }

    pub(super) fn disk_warning(&self, name: &ClusterName) -> Option<Reason> {
        self.disk_warnings.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
