//! What a run needs: a Python environment with the official server, a release build of ours, and a directory for the time being.

use crate::failure::{Context, Failure, Outcome};
use crate::issuer::Issuer;
use crate::processes;
use faregate_cli::python::{self, PythonEnv, Spec};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// The pinned versions, and what both gateways' clusters run on.
const REQUIREMENTS: [&str; 7] = [
    "dask-gateway-server[local]==2026.3.0",
    "dask-gateway==2026.3.0",
    "dask==2026.3.0",
    "distributed==2026.3.0",
    "bokeh>=3.1,<3.10",
    "numpy",
    "aiohttp",
];

/// Dropped, it kills what is left of the run's processes and removes its directory.
pub struct Setup {
    /// With the official server, its client, and dask.
    pub python: PythonEnv,
    /// Our binary.
    pub faregate: PathBuf,
    /// This program.
    pub bench: PathBuf,
    /// Who signs users' JWTs.
    pub issuer: Issuer,
    run: String,
    dir: TempDir,
    gateways: AtomicU32,
}

impl Setup {
    /// Sets everything up; what is not given is made. Blocks: the first time for minutes.
    pub fn make(faregate: Option<&Path>, python: Option<&Path>) -> Outcome<Setup> {
        raise_descriptor_limit();
        let bench = std::env::current_exe().context(|| "this program's path is not known".to_owned())?;
        let python = match python {
            Some(dir) => PythonEnv::existing(dir),
            None => Spec::default_in_cache().and_then(|spec| {
                let requirements = REQUIREMENTS.map(str::to_owned).to_vec();
                python::ensure(&Spec { requirements, ..spec }, &|step| eprintln!("python: {step}"))
            }),
        }
        .context(|| "there is no Python environment to measure with".to_owned())?;
        let faregate = match faregate {
            Some(path) => path.canonicalize().context(|| format!("`{}` is not there", path.display()))?,
            None => build(&bench)?,
        };
        // started as root, tasks run under other uids, and come by here
        let passable = Permissions::from_mode(0o711);
        let dir = tempfile::Builder::new().prefix("faregate-bench-").permissions(passable).tempdir();
        let dir = dir.context(|| "no temporary directory can be made".to_owned())?;
        let run = dir.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Setup { python, faregate, bench, issuer: Issuer::start()?, run, dir, gateways: AtomicU32::new(0) })
    }

    /// The mark of a new gateway, and a directory for it.
    pub fn new_gateway(&self, name: &str) -> Outcome<(String, PathBuf)> {
        let number = self.gateways.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.path().join(format!("{number}-{name}"));
        let made =
            std::fs::create_dir(&dir).and_then(|()| std::fs::set_permissions(&dir, Permissions::from_mode(0o1777)));
        made.context(|| format!("`{}` cannot be made", dir.display()))?;
        Ok((format!("{}.{number}.", self.run), dir))
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        processes::kill_all_of(&self.run);
    }
}

/// A release build of `faregate`, beside this program's own.
fn build(bench: &Path) -> Outcome<PathBuf> {
    let target = bench.parent().and_then(Path::parent).context(|| "this program has no target directory".to_owned())?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "faregate-cli", "--bin", "faregate", "--target-dir"])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null())
        .status()
        .context(|| "`cargo` cannot be run; build `faregate` yourself and name it with `--faregate`".to_owned())?;
    let path = target.join("release/faregate");
    if status.success() && path.is_file() { Ok(path) } else { Err(Failure::new("`faregate` was not built")) }
}

/// A thousand idle connections need as many descriptors, and the gateways inherit the limit. Where it cannot be raised, opening fails
/// later with a sentence of its own.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
