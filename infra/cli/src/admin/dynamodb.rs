//! A deployment's records in DynamoDB.

use super::{AdminError, Hands, Silence};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::Client;
use faregate_core::model::{Policy, Prices};
use faregate_dynamodb::DynamoStore;
use faregate_gateway::admin::Admin;
use faregate_machine::Machine;
use std::sync::Arc;

/// How AWS is reached: as the environment says.
pub async fn sdk_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// The operations on a deployment's table.
pub fn open(config: &SdkConfig, table: &str) -> Result<Hands, AdminError> {
    let region = config.region().map(AsRef::as_ref).unwrap_or_default();
    // what a deployment's tasks are that do not say it: see `TaskArchitecture` in its template
    let prices = Prices::listed(region, "X86_64").map_err(AdminError::Prices)?;
    let client = Client::new(config);
    let store = Arc::new(DynamoStore::new(|| client, table));
    let admin = Admin {
        store: store.clone(),
        wakes: Arc::new(Silence),
        host: Arc::new(Machine::default()),
        policy: Policy { prices: prices.unwrap_or_default(), ..Policy::fargate() },
    };
    Ok(Hands::new(admin, store, None))
}
