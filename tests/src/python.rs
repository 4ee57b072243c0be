//! The Python environments that tests run the official client and dask in: made once, kept under the workspace's target directory.

use faregate_cli::python::{PythonEnv, Spec, ensure};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The versions of dask that everything must work with: the official pin, and a later one.
pub const DASK_VERSIONS: [&str; 2] = ["2026.3.0", "2026.8.0"];

/// The environment with this version of dask, and the official client; made by the first test that asks, in any process.
pub fn dask(version: &str) -> PythonEnv {
    ensure(&Spec::dask(version, home()), &|step| eprintln!("{step}")).unwrap()
}

/// The same with more packages.
pub fn dask_with(version: &str, more: &[&str]) -> PythonEnv {
    let mut spec = Spec::dask(version, home());
    spec.requirements.extend(more.iter().map(|package| (*package).to_owned()));
    ensure(&spec, &|step| eprintln!("{step}")).unwrap()
}

/// Where environments are kept: `FAREGATE_CACHE_DIR`, where one is given, so that several work trees can share it; else in the target
/// directory.
pub fn home() -> PathBuf {
    match std::env::var_os("FAREGATE_CACHE_DIR") {
        Some(dir) => dir.into(),
        None if is_passable(&target_dir()) => target_dir().join("python"),
        None => "/var/cache/faregate-tests".into(),
    }
}

/// As root, tasks run under other uids: is the way open to them?
fn is_passable(dir: &Path) -> bool {
    let open = |dir: &Path| dir.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0);
    !rustix::process::geteuid().is_root() || dir.canonicalize().is_ok_and(|dir| dir.ancestors().all(open))
}

/// Where cargo builds.
fn target_dir() -> PathBuf {
    let workspace = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    std::env::var_os("CARGO_TARGET_DIR").map_or(workspace.join("target"), |dir| workspace.join(dir))
}
