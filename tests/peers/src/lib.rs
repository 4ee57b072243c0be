//! Real identity providers, each a process on this machine, for the tests of signing in.
#![allow(clippy::unwrap_used)]

pub mod hub;
pub mod kdc;
pub mod oidc;

use std::path::{Path, PathBuf};

/// One of this package's Python programs.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name).with_extension("py")
}

/// Where `story.py` is, which the programs that act as users import.
pub fn scripts_of_stories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts")
}
