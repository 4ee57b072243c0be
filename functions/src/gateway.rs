//! The core, on AWS.

use crate::{Absent, Aws, RelaySchedulers, Settings, SqsWakes, key_ring};
use faregate::dask::Listen;
use faregate::gateway::{Gateway, GatewayConfig};
use faregate::machine::Machine;
use faregate::model::{KeyRing, TaskSizes};
use faregate::options::Options;
use faregate::ports::{Launcher, Ports, Schedulers};
use faregate_dynamodb::DynamoStore;
use std::sync::Arc;

/// A gateway, and what a main may need beside it.
pub struct Parts {
    /// The core.
    pub gateway: Arc<Gateway>,
    /// Its store.
    pub store: Arc<DynamoStore>,
    /// Its queue.
    pub wakes: Arc<SqsWakes>,
    /// Its key ring.
    pub ring: KeyRing,
}

/// Puts it together. Only `reconcile` gives a launcher.
pub async fn gateway(settings: &Settings, aws: &Aws, launcher: Option<Arc<dyn Launcher>>) -> Result<Parts, String> {
    let ring = key_ring(&aws.secrets(), &settings.secret).await?;
    let store = Arc::new(DynamoStore::new(aws.dynamodb(), &settings.table));
    let wakes = Arc::new(SqsWakes::new(aws.sqs(), &settings.queue_url));
    let schedulers: Arc<dyn Schedulers> = match &settings.relay {
        Some(relay) => Arc::new(RelaySchedulers::new(aws.lambda(), relay)),
        None => Arc::new(Absent),
    };
    let ports = Ports {
        store: store.clone(),
        wakes: wakes.clone(),
        launcher: launcher.unwrap_or_else(|| Arc::new(Absent)),
        schedulers,
        routes: Arc::new(Absent),
        host: Arc::new(Machine::default()),
    };
    let mut base = settings.cluster.clone();
    base.fit(TaskSizes::Fargate).map_err(|e| format!("`FAREGATE_CONFIG`: {e}"))?;
    let options = Options::declare(&settings.options, &base).map_err(|e| format!("`FAREGATE_CONFIG`: {e}"))?;
    let gateway = Gateway::new(GatewayConfig {
        ports,
        ring: ring.clone(),
        policy: settings.policy.clone(),
        options: options.with_sizes(TaskSizes::Fargate),
        base,
        api_url: settings.api_url.clone(),
        listen: Listen::own_address(),
    });
    Ok(Parts { gateway: Arc::new(gateway), store, wakes, ring })
}
