//! Hints: may be lost, late, repeated, out of order. The record is the truth.

use crate::model::{ClusterName, Ms};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What the reconciler is asked to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// One cluster.
    Cluster(ClusterName),
    /// The next page of the comparison of tasks and records; none starts it.
    #[serde(rename = "sweep")]
    OrphanScan {
        /// Where to go on.
        cursor: Option<String>,
    },
}

impl Wake {
    /// Messages of one group take turns with those of others: a user's key, so that no user starves another.
    pub fn group(&self) -> &str {
        match self {
            Wake::Cluster(name) => &name.as_str()[..12],
            Wake::OrphanScan { .. } => "orphan-scan",
        }
    }
}

/// The queue did not take it. Nothing is lost by that: what is due is found by the next enforcement run.
#[derive(Debug, thiserror::Error)]
#[error("the wake was not sent: {0}")]
pub struct WakesError(pub String);

/// The queue of wakes.
#[async_trait]
pub trait Wakes: Send + Sync {
    /// Sends a wake, to arrive `delay_ms` from now or later.
    async fn wake(&self, wake: Wake, delay_ms: Ms) -> Result<(), WakesError>;
}
