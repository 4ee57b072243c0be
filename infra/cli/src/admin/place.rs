//! Where a gateway's records are.

use super::{AdminError, Hands};
use crate::config::Config;
use crate::paths::{self, given};
use crate::serve::{data_path, read_key_ring};
use async_trait::async_trait;
use clap::Args;
use faregate_core::model::Ms;
use faregate_core::ports::{Wake, Wakes, WakesError};
use faregate_gateway::admin::Admin;
use faregate_machine::Machine;
use faregate_sqlite::SqliteStore;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a gateway's records are.
#[derive(Debug, Args)]
pub struct Place {
    /// The gateway's data directory [default: as `serve`, ~/.local/share/faregate]
    #[arg(long, global = true, env = "FAREGATE_DATA_DIR", value_name = "DIR", value_parser = paths::parser())]
    pub data_dir: Option<PathBuf>,
    /// The gateway's configuration file, which names its data directory and its prices
    #[arg(long, global = true, env = "FAREGATE_CONFIG", value_name = "FILE", value_parser = paths::parser())]
    pub config: Option<PathBuf>,
    /// A deployment's DynamoDB table, instead of a data directory
    #[arg(long, global = true, value_name = "NAME")]
    pub table: Option<String>,
}

/// Wakes nobody: who works on the records sees for itself that they have changed, by its next enforcement run.
pub struct Silence;

#[async_trait]
impl Wakes for Silence {
    async fn wake(&self, _: Wake, _: Ms) -> Result<(), WakesError> {
        Ok(())
    }
}

impl Place {
    /// The operations there. Nothing is made that is not there.
    pub async fn open(self) -> Result<Hands, AdminError> {
        if let Some(table) = &self.table {
            #[cfg(feature = "dynamodb")]
            {
                let config = super::dynamodb::sdk_config().await;
                return super::dynamodb::open(&config, table);
            }
            #[cfg(not(feature = "dynamodb"))]
            {
                let _ = table;
                return Err(AdminError::NoDynamo);
            }
        }
        let file = given(self.config);
        let mut config = file.as_deref().map(Config::load).transpose()?.unwrap_or_default();
        config.gateway.data_dir = given(self.data_dir).or(config.gateway.data_dir.take());
        let path = data_path(&config)?;
        let file = path.join("store.sqlite");
        if !file.is_file() {
            return Err(AdminError::NoData(path));
        }
        let store = Arc::new(SqliteStore::open(&file)?);
        let admin = Admin {
            store: store.clone(),
            wakes: Arc::new(Silence),
            host: Arc::new(Machine::default()),
            policy: config.policy,
        };
        let hands = Hands::new(admin, store.clone(), read_key_ring(&path)?);
        Ok(Hands { data_dir: Some(path), local: Some(store), ..hands })
    }
}

#[cfg(all(test, not(feature = "dynamodb")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_dynamodb_the_flag_says_how_to_build_with_it() {
        let place = Place { data_dir: None, config: None, table: Some("clusters".into()) };
        let Err(error) = place.open().await else { panic!("no table can be opened") };
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--features dynamodb"), "{error}");
    }
}
