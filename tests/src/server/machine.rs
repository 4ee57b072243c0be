//! What servers need of the machine, and tests beside them.

use super::PATIENCE;
use faregate_processes::identity::passing_range;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A directory that tasks under other uids can pass through, as root's must be.
pub fn passable_dir(prefix: &str) -> TempDir {
    let permissions = std::fs::Permissions::from_mode(0o711);
    tempfile::Builder::new().prefix(prefix).permissions(permissions).tempdir().unwrap()
}

/// The configuration, as root with uids that no other test's users have: they are assigned for good, and nobody shall run out of them. Its
/// lines keep their numbers, if the first is empty.
pub fn with_own_uids(config_toml: &str) -> String {
    if !rustix::process::geteuid().is_root()
        || ["task_uid_range", "run_as_user"].iter().any(|key| config_toml.contains(key))
    {
        return config_toml.to_owned();
    }
    let gap = if config_toml.starts_with('\n') { "" } else { "\n" };
    format!("task_uid_range = \"{}\"{gap}{config_toml}", passing_range())
}

/// Polls until the condition holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {} seconds", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The real binary, built once in each process, with the profile of the tests.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        cargo.args(["build", "--workspace", "--bin", "faregate", "--message-format=json-render-diagnostics"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "the binary does not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let executables = built.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)));
        executables.reduce(|_, last| last).expect("cargo names the binary it has built")
    })
}

/// A signal to a cluster's scheduler.
pub fn signal_scheduler(cluster: &str, signal: Signal) {
    let name = format!("DASK_GATEWAY_CLUSTER_NAME={cluster}");
    let mut signalled = 0;
    for entry in Path::new("/proc").read_dir().unwrap().flatten() {
        let read = |file| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let has = |bytes: &[u8], what: &str| bytes.split(|b| *b == 0).any(|text| text == what.as_bytes());
        if has(&read("environ"), &name) && has(&read("cmdline"), "dask_gateway.scheduler_preload") {
            let pid = entry.file_name().to_string_lossy().parse().unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
            signalled += 1;
        }
    }
    assert!(signalled > 0, "no scheduler of {cluster}");
}
