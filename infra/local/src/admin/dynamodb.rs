//! A deployment's records in DynamoDB.

use super::{AdminError, Silence};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::Client;
use faregate::gateway::admin::Admin;
use faregate::machine::Machine;
use faregate::model::{Policy, Prices, Rates};
use faregate_dynamodb::DynamoStore;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// List prices of Fargate; the file names their date and source.
const PRICES: &str = include_str!("../../../prices/fargate.json");

#[derive(Deserialize)]
struct List {
    regions: BTreeMap<String, Region>,
}

#[derive(Clone, Copy, Deserialize)]
struct Region {
    x86_64: Rates,
    arm64: Rates,
}

/// How AWS is reached: as the environment says.
pub async fn sdk_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// The operations on a deployment's table.
pub fn open(config: &SdkConfig, table: &str) -> Result<Admin, AdminError> {
    let region = config.region().map(AsRef::as_ref).unwrap_or_default();
    let list: List = serde_json::from_str(PRICES).map_err(AdminError::Prices)?;
    let prices = list.regions.get(region).map(|Region { x86_64, arm64 }| {
        // what a deployment's tasks are that do not say it: see `TaskArchitecture` in its template
        Prices { default: *x86_64, x86_64: *x86_64, arm64: *arm64 }
    });
    Ok(Admin {
        store: Arc::new(DynamoStore::new(Client::new(config), table)),
        wakes: Arc::new(Silence),
        host: Arc::new(Machine::default()),
        policy: Policy { prices: prices.unwrap_or_default(), ..Policy::fargate() },
    })
}
