//! `faregate serve`.
mod data_dir;
pub use data_dir::{DataDir, DataDirError};

use crate::config::Config;
/// Serves.
pub fn run(config: Config) -> Result<(), std::io::Error> {
    let _ = config;
    Ok(())
}
