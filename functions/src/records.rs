//! The services, on AWS. Each function makes those that it needs, of the ports that it is given.

use crate::{Aws, RelaySchedulers, Settings, SqsWakes};
use faregate_core::command::Listen;
use faregate_core::model::TaskSizes;
use faregate_core::options::Options;
use faregate_dynamodb::DynamoStore;
use faregate_gateway::{ClusterSettings, Context, TaskEvents};
use faregate_keys::KeyRing;
use faregate_machine::Machine;
use std::sync::Arc;

/// Table and queue.
pub struct Records {
    /// The table.
    pub store: Arc<DynamoStore>,
    /// The queue.
    pub wakes: Arc<SqsWakes>,
    host: Arc<Machine>,
}

impl Records {
    /// Those of the settings.
    pub fn new(settings: &Settings, aws: &Aws) -> Records {
        Records {
            store: Arc::new(DynamoStore::new(aws.later(Aws::dynamodb), &settings.table)),
            wakes: Arc::new(SqsWakes::new(aws.later(Aws::sqs), &settings.queue_url)),
            host: Arc::new(Machine::default()),
        }
    }

    /// What every service but [`TaskEvents`] has.
    pub fn context(&self, settings: &Settings, ring: KeyRing) -> Arc<Context> {
        let Records { store, wakes, host } = self;
        Arc::new(Context::new(store.clone(), wakes.clone(), host.clone(), ring, settings.policy.clone()))
    }

    /// For what ECS tells.
    pub fn task_events(&self, settings: &Settings) -> TaskEvents {
        let Records { store, wakes, host } = self;
        TaskEvents::new(store.clone(), wakes.clone(), host.clone(), settings.policy.clone())
    }
}

/// The way to the schedulers: through the relay.
pub fn schedulers(settings: &Settings, aws: &Aws) -> Result<Arc<RelaySchedulers>, String> {
    let relay = settings.relay.as_ref().ok_or("`FAREGATE_RELAY` is not set")?;
    Ok(Arc::new(RelaySchedulers::new(aws.later(Aws::lambda), relay)))
}

/// What a new cluster is made of.
pub fn cluster_settings(settings: &Settings) -> Result<ClusterSettings, String> {
    let base = settings.config.base();
    let options = Options::declare(&settings.config.options, &base).map_err(|e| format!("`FAREGATE_CONFIG`: {e}"))?;
    Ok(ClusterSettings {
        options: options.with_sizes(TaskSizes::Fargate),
        base,
        api_url: settings.api_url.clone(),
        listen: Listen::own_address(),
        check_launch: faregate_ecs::check_launch,
    })
}
