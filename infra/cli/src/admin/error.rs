//! Why a command failed.

use super::values::InvalidField;
use crate::config::ConfigError;
use crate::serve::{DataDirError, ServeError};
use faregate_api::settings::InvalidSettings;
use faregate_auth::access::AccessError;
use faregate_core::model::InvalidWhy;
use faregate_gateway::ServiceError;
use faregate_sqlite::OpenError;
use std::io;
use std::path::PathBuf;

/// Why a command failed. What was refused changed nothing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each says what failed
pub enum AdminError {
    #[error(transparent)]
    Refused(#[from] ServiceError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Why(#[from] InvalidWhy),
    #[error(transparent)]
    Field(#[from] InvalidField),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Place(#[from] ServeError),
    #[error("there is no gateway's data in `{}`: name its data directory with `--data-dir`, or start the gateway once, which makes it", .0.display())]
    NoData(PathBuf),
    #[error(
        "this `faregate` was built without DynamoDB, which `--table` needs: \
         build it with `cargo install --path infra/cli --features dynamodb`"
    )]
    NoDynamo,
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error(transparent)]
    Keys(#[from] DataDirError),
    #[error(
        "the key ring is not here: on one machine it is in the data directory, on AWS in its secret (docs/key-rotation.md)"
    )]
    NoKeys,
    #[error("the file `{file}` cannot be read")]
    File { file: String, source: io::Error },
    #[error("the settings cannot be used:\n  {}", .0.0.join("\n  "))]
    Settings(InvalidSettings),
    #[error("settings are checked without a gateway's records")]
    NoRecords,
    #[error("the two passwords are not the same")]
    Differ,
    #[error("the password cannot be read")]
    Input(#[source] io::Error),
    #[error("the terminal cannot be asked for a password")]
    Terminal(#[source] io::Error),
    #[error("the list of prices cannot be read")]
    Prices(#[source] serde_json::Error),
    #[error("the outcome cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the outcome cannot be printed")]
    Output(#[source] io::Error),
    #[error("the command cannot run")]
    Runtime(#[source] io::Error),
}

impl AdminError {
    /// The process's exit code: 2 when what was asked for is wrong, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            AdminError::Refused(ServiceError::Invalid(_))
            | AdminError::Why(_)
            | AdminError::Field(_)
            | AdminError::Config(_)
            | AdminError::Settings(_)
            | AdminError::Differ
            | AdminError::NoDynamo => 2,
            AdminError::Access(error) if error.is_invalid() => 2,
            _ => 1,
        }
    }
}
