//! What a scheduler says of itself, and when it last did.

use super::{ClusterName, Ms};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// A heartbeat's body, checked. Worker names are as the scheduler knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Comm address (from a `tls://` URL).
    pub scheduler: Option<SocketAddr>,
    /// Dashboard address (from an `http://` URL); none when it runs without one.
    pub dashboard: Option<SocketAddr>,
    /// API address (from an `http://` URL).
    pub api: Option<SocketAddr>,
    /// Wanted workers.
    pub count: u32,
    /// Connected workers that are to stay.
    pub active: BTreeSet<String>,
    /// Workers about to be retired.
    pub closing: BTreeSet<String>,
    /// Workers that left: for good, or for the moment of a restart.
    pub closed: BTreeSet<String>,
}

/// A heartbeat's body that cannot be accepted; names the field.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{field}` {problem}")]
pub struct InvalidContent {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// An item of its own beside the cluster's, so that liveness costs one small write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Whose it is.
    pub cluster: ClusterName,
    /// When the last one arrived; none before the first.
    pub seen_at: Option<Ms>,
    /// Digest of the last body; equal digests mean that nothing changed.
    pub digest: Option<String>,
    /// The last body's content. Where it was too large for the item it was applied to the tasks first, and only
    /// addresses, count and [`Heartbeat::unknown`] are kept.
    pub content: Option<Content>,
    /// Worker names a large body mentioned as active or closing that had no task yet.
    pub unknown: BTreeSet<String>,
    /// False from the moment the cluster stops: further heartbeats are refused.
    pub accepting: bool,
    /// Set when the content changed; cleared by the reconciler once it has acted on it.
    pub due_at: Option<Ms>,
    /// When the record may be forgotten.
    pub expires_at: Option<Ms>,
}

impl Heartbeat {
    /// The item as it is when its cluster is created.
    pub fn new(cluster: ClusterName) -> Self {
        Heartbeat {
            cluster,
            seen_at: None,
            digest: None,
            content: None,
            unknown: BTreeSet::new(),
            accepting: true,
            due_at: None,
            expires_at: None,
        }
    }
}
