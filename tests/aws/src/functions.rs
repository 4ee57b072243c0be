//! What the template deploys, built by cargo with the profile of the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The functions, as the template's `Binary` names them.
pub const FUNCTIONS: [&str; 5] = ["api", "enforce", "reconcile", "relay", "task-events"];
/// The proxy's binary.
pub const PROXY: &str = "faregate-fargate-proxy";

/// The functions and the proxy, by name; built once in each process.
pub fn binaries() -> &'static BTreeMap<String, PathBuf> {
    static BINARIES: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    BINARIES.get_or_init(build)
}

fn build() -> BTreeMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace());
    // the whole workspace, so that dependencies have the features that they have in its tests, and are not built again
    cargo.args(["build", "--workspace", "--message-format=json-render-diagnostics"]);
    let names = FUNCTIONS.iter().chain([&PROXY]);
    names.for_each(|name| _ = cargo.args(["--bin", name]));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the functions do not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let named = built.filter_map(|message| {
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(message["executable"].as_str()?)))
    });
    let binaries: BTreeMap<_, _> = named.collect();
    assert_eq!(binaries.len(), FUNCTIONS.len() + 1, "{binaries:?}");
    binaries
}

/// The proxy's binary; `FAREGATE_PROXY` names that of a release.
pub fn proxy() -> PathBuf {
    std::env::var_os("FAREGATE_PROXY").map_or_else(|| binaries()[PROXY].clone(), PathBuf::from)
}

/// Puts each function where `sam build` would put it, as `<dir>/<function>/bootstrap`, without symbols.
pub fn package(dir: &Path) {
    for function in FUNCTIONS {
        let place = dir.join(function);
        std::fs::create_dir_all(&place).unwrap();
        let stripped = Command::new("strip").arg("-o").arg(place.join("bootstrap")).arg(&binaries()[function]).status();
        assert!(stripped.unwrap().success(), "`strip` fails on `{function}`");
    }
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
