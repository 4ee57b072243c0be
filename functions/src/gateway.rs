//! The core, on AWS.

use crate::{Absent, Aws, RelaySchedulers, Settings, SqsWakes};
use faregate_core::command::Listen;
use faregate_core::model::TaskSizes;
use faregate_core::options::Options;
use faregate_core::ports::{Launcher, Ports, Schedulers};
use faregate_dynamodb::DynamoStore;
use faregate_gateway::{Gateway, GatewayConfig};
use faregate_keys::KeyRing;
use faregate_machine::Machine;
use std::sync::Arc;

/// What reaches the world outside, and what a main may need of it beside.
pub struct Outside {
    /// All of it.
    pub ports: Ports,
    /// Its store.
    pub store: Arc<DynamoStore>,
    /// Its queue.
    pub wakes: Arc<SqsWakes>,
}

/// Puts it together. Only `reconcile` gives a launcher.
pub fn outside(settings: &Settings, aws: &Aws, launcher: Option<Arc<dyn Launcher>>) -> Outside {
    let store = Arc::new(DynamoStore::new(aws.later(Aws::dynamodb), &settings.table));
    let wakes = Arc::new(SqsWakes::new(aws.later(Aws::sqs), &settings.queue_url));
    let schedulers: Arc<dyn Schedulers> = match &settings.relay {
        Some(relay) => Arc::new(RelaySchedulers::new(aws.later(Aws::lambda), relay)),
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
    Outside { ports, store, wakes }
}

/// The gateway over it.
pub fn gateway(settings: &Settings, ports: Ports, ring: KeyRing) -> Result<Gateway, String> {
    let base = settings.config.base();
    let options = Options::declare(&settings.config.options, &base).map_err(|e| format!("`FAREGATE_CONFIG`: {e}"))?;
    Ok(Gateway::new(GatewayConfig {
        ports,
        ring,
        policy: settings.policy.clone(),
        options: options.with_sizes(TaskSizes::Fargate),
        base,
        api_url: settings.api_url.clone(),
        listen: Listen::own_address(),
        check_launch: faregate_ecs::check_launch,
    }))
}
