//! What users do with their clusters.

use super::{Context, paces::MOST};
use faregate_core::command::Listen;
use faregate_core::model::{ClusterConfig, LaunchSpec, Ms};
use faregate_core::options::Options;
use faregate_core::ports::Schedulers;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// What a new cluster is made of.
#[derive(Clone)]
pub struct ClusterSettings {
    /// What users may choose.
    pub options: Options,
    /// What a cluster is made of before the user's options.
    pub base: ClusterConfig,
    /// Where tasks reach the gateway: `http(s)://host:port<prefix>/api`.
    pub api_url: String,
    /// Where tasks listen.
    pub listen: Listen,
    /// Can the launcher ever make this launch? Else what to change, as a sentence about the cluster that is asked for. It is asked before
    /// a cluster is written down; what only the launcher knows it says itself.
    pub check_launch: fn(&LaunchSpec) -> Result<(), String>,
}

/// Creates, shows, scales and stops clusters: writes what is wanted, and asks schedulers.
pub struct Clusters {
    pub(crate) context: Arc<Context>,
    pub(crate) schedulers: Arc<dyn Schedulers>,
    pub(crate) settings: ClusterSettings,
    /// What users' counters last said of the pace at which they create clusters.
    pub(crate) paces: Cache<String, Ms>,
}

impl Clusters {
    /// Over these records; schedulers are asked this way.
    pub fn new(context: Arc<Context>, schedulers: Arc<dyn Schedulers>, settings: ClusterSettings) -> Self {
        Clusters { context, schedulers, settings, paces: Cache::new(MOST) }
    }

    /// What users may choose.
    pub fn options(&self) -> &Options {
        &self.settings.options
    }
}
