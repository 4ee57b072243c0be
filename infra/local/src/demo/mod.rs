//! `faregate demo`.
use std::path::Path;
/// Runs.
pub fn run(python: Option<&Path>) -> Result<(), std::io::Error> {
    let _ = python;
    Ok(())
}
