//! The Python environment of schedulers and workers: made once, kept for next time.

use crate::paths::{expand, variable};
use aws_lc_rs::digest::{SHA256, digest};
use faregate_processes::RunAs;
use faregate_processes::identity::reach::{ANYBODY, reach};
use rustix::fs::{FlockOperation, flock};
use std::collections::VecDeque;
use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Written last: an environment without it was left half made.
const COMPLETE: &str = ".complete";
/// The oldest Python that the pinned packages run on.
const OLDEST: (u32, u32) = (3, 10);
/// So many of pip's last lines explain its failure.
const LAST_LINES: usize = 12;

/// What shall be in an environment, and where it is kept.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Requirements, as pip reads them.
    pub requirements: Vec<String>,
    /// The directory that holds environments, each under a name made of its requirements.
    pub home: PathBuf,
}

impl Spec {
    /// The official client, 2026.3.0, with a version of dask: what the gateway is tested with.
    pub fn dask(version: &str, home: PathBuf) -> Self {
        let requirements = [
            "dask-gateway==2026.3.0".to_owned(),
            format!("dask=={version}"),
            format!("distributed=={version}"),
            // from 3.10 on its server cannot be stopped as distributed does it: workers would not take their plugins down
            "bokeh>=3.1,<3.10".to_owned(),
            "numpy".to_owned(),
            "aiohttp".to_owned(),
        ];
        Spec { requirements: requirements.to_vec(), home }
    }

    /// What `serve` and `demo` use: [`Spec::dask`] of the official pin, in the user's cache.
    pub fn default_in_cache() -> Result<Self, PythonError> {
        Ok(Spec::dask("2026.3.0", cache_dir().ok_or(PythonError::NoHome)?))
    }

    /// Where its environment is, made or not.
    pub fn dir(&self) -> PathBuf {
        let hash = digest(&SHA256, self.requirements.join("\n").as_bytes());
        let hex: String = hash.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        self.home.join(format!("python-{hex}"))
    }
}

/// `FAREGATE_CACHE_DIR`, or `faregate` in `XDG_CACHE_HOME`, or in `~/.cache`; as root in /var/cache, where everybody's tasks can read it.
fn cache_dir() -> Option<PathBuf> {
    let own = variable("FAREGATE_CACHE_DIR").and_then(|dir| expand(dir.as_ref()).ok());
    own.or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("faregate")))
        .or_else(|| rustix::process::geteuid().is_root().then(|| PathBuf::from("/var/cache/faregate")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/faregate")))
}

/// An environment that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonEnv {
    dir: PathBuf,
}

impl PythonEnv {
    /// An existing environment: a directory with `bin/dask` and `bin/python`.
    pub fn existing(dir: &Path) -> Result<PythonEnv, PythonError> {
        let env = PythonEnv {
            dir: std::path::absolute(dir).map_err(|source| PythonError::Use { dir: dir.to_owned(), source })?,
        };
        for program in ["dask", "python"] {
            if !env.bin().join(program).is_file() {
                return Err(PythonError::Incomplete { dir: env.dir, program });
            }
        }
        Ok(env)
    }

    /// The environment's directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its programs.
    pub fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// Files that whoever runs tasks in it must be able to use: its programs, and a module of each package.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.python(), self.bin().join("dask")];
        let libraries = std::fs::read_dir(self.dir.join("lib")).into_iter().flatten().flatten();
        for library in libraries {
            let packages = library.path().join("site-packages");
            let modules = ["dask", "distributed", "dask_gateway"].map(|name| packages.join(name).join("__init__.py"));
            files.extend(modules.into_iter().filter(|module| module.exists()));
        }
        files
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.bin().join("python")
    }
}

/// There is no environment to work with.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// Nowhere to keep it.
    #[error(
        "there is no place to keep a Python environment: set `HOME` or `FAREGATE_CACHE_DIR`, or give one with `--python DIR`"
    )]
    NoHome,
    /// The directory cannot be used.
    #[error("the Python environment `{}` cannot be used", .dir.display())]
    Use {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what `--python` needs.
    #[error("the Python environment `{}` has no `bin/{program}`; install `dask-gateway`, `dask` and `distributed` there", .dir.display())]
    Incomplete {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        program: &'static str,
    },
    /// No interpreter.
    #[error("`python3` cannot be run; install Python {}.{} or later, or give an environment with `--python DIR`", OLDEST.0, OLDEST.1)]
    NoPython(#[source] io::Error),
    /// Too old an interpreter.
    #[error("`python3` is version {found}, too old for the packages; install {}.{} or later, or give an environment with `--python DIR`", OLDEST.0, OLDEST.1)]
    TooOld {
        /// Its version.
        found: String,
    },
    /// Root's own interpreters alone.
    #[error(
        "tasks run under other uids, and none of these can be run by everybody and has `venv`: {}; install the system's python3 and its venv \
         (on Debian and Ubuntu python3-venv), or give an environment with `--python DIR`",
        list(found)
    )]
    NotForAll {
        /// What `PATH` has.
        found: Vec<PathBuf>,
    },
    /// No `venv`, or it failed.
    #[error("`python3 -m venv` failed (on Debian and Ubuntu it needs the package python3-venv):\n{output}")]
    Venv {
        /// What it said.
        output: String,
    },
    /// A fault of ours.
    #[error("the making of the Python environment broke off: {0}")]
    Panicked(String),
    /// pip failed.
    #[error("`pip install` failed; its last lines:\n{output}")]
    Pip {
        /// What it said.
        output: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    if paths.is_empty() { "(`python3` is not in PATH)".to_owned() } else { paths.join(", ") }
}

/// The environment of a specification: as it is kept, or made now, which takes about a minute and needs a package index.
/// `say` hears what is being done. Of several callers at once, in any processes, one makes it and the others wait. Blocks.
pub fn ensure(spec: &Spec, say: &dyn Fn(&str)) -> Result<PythonEnv, PythonError> {
    let dir = std::path::absolute(spec.dir()).map_err(|source| PythonError::Use { dir: spec.dir(), source })?;
    let failed = |source| PythonError::Use { dir: dir.clone(), source };
    std::fs::create_dir_all(&spec.home).map_err(failed)?;
    let for_all = rustix::process::geteuid().is_root();
    if for_all {
        readable_by_all(&spec.home, false).map_err(failed)?;
    }
    let _lock = lock(&dir.with_extension("lock"), say).map_err(failed)?;
    let kept = PythonEnv { dir: dir.clone() };
    // an upgrade of the system's Python leaves a link to nowhere
    let is_good = |python: PathBuf| python.canonicalize().is_ok_and(|python| !for_all || is_for_all(&python));
    if dir.join(COMPLETE).is_file() && is_good(kept.python()) {
        return Ok(kept);
    }
    if dir.exists() {
        faregate_processes::remove_tree(&dir).map_err(failed)?;
    }
    let interpreter = if for_all { interpreter_for_all()? } else { PathBuf::from("python3") };
    check_version(&interpreter)?;
    say("making a Python environment");
    make_venv(&interpreter, &dir)?;
    install(&kept, &spec.requirements, say)?;
    if for_all {
        readable_by_all(&dir, true).map_err(failed)?;
    }
    std::fs::write(dir.join(COMPLETE), spec.requirements.join("\n")).map_err(failed)?;
    Ok(kept)
}

/// What root makes is for everybody's tasks, whatever the umask: as `chmod a+rX`, and `-R` with `below`.
fn readable_by_all(path: &Path, below: bool) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let enter = if metadata.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
    std::fs::set_permissions(path, Permissions::from_mode(mode | 0o444 | enter))?;
    if below && metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            readable_by_all(&entry?.path(), true)?;
        }
    }
    Ok(())
}

/// The first `python3` of `PATH` that everybody can run and make environments of: what is below root's home is not for tasks under other
/// uids. (What is found may be a script that chooses one, as pyenv's is.)
fn interpreter_for_all() -> Result<PathBuf, PythonError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found: Vec<PathBuf> =
        std::env::split_paths(&path).map(|dir| dir.join("python3")).filter(|python| python.is_file()).collect();
    let script = "import ensurepip, venv, sys; print(sys._base_executable)";
    let real = |python: &PathBuf| {
        let output = isolated(python).args(["-c", script]).output().ok()?;
        let real = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        (output.status.success() && real.is_absolute()).then_some(real)
    };
    found.iter().filter_map(real).find(|python| is_for_all(python)).ok_or(PythonError::NotForAll { found })
}

/// Can a uid run it that nothing belongs to?
fn is_for_all(python: &Path) -> bool {
    let anybody = RunAs { uid: ANYBODY, gid: ANYBODY, groups: Vec::new() };
    reach(&anybody, python).is_ok()
}

/// Held until it is dropped.
fn lock(path: &Path, say: &dyn Fn(&str)) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(false).open(path)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        say("waiting for another process that makes the same Python environment");
        flock(&file, FlockOperation::LockExclusive)?;
    }
    Ok(file)
}

/// An interpreter that takes no module from the directory in which the gateway was started, which may be anybody's.
fn isolated(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.arg("-I").current_dir("/").stdin(Stdio::null());
    command
}

fn check_version(interpreter: &Path) -> Result<(), PythonError> {
    let script = "import sys; print('%d.%d' % sys.version_info[:2])";
    let output = isolated(interpreter).args(["-c", script]).output().map_err(PythonError::NoPython)?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let version = found.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    if version.is_some_and(|version: (u32, u32)| version >= OLDEST) {
        Ok(())
    } else {
        Err(PythonError::TooOld { found })
    }
}

fn make_venv(interpreter: &Path, dir: &Path) -> Result<(), PythonError> {
    let output = isolated(interpreter).args(["-m", "venv"]).arg(dir).output().map_err(PythonError::NoPython)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(PythonError::Venv { output: String::from_utf8_lossy(&said).trim().to_owned() })
}

/// Runs pip, with both its outputs in one pipe, so that one reader hears all of it in order.
fn install(env: &PythonEnv, requirements: &[String], say: &dyn Fn(&str)) -> Result<(), PythonError> {
    let failed = |source| PythonError::Use { dir: env.dir.clone(), source };
    let (reader, writer) = io::pipe().map_err(failed)?;
    let mut command = isolated(&env.python());
    command
        .args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"])
        .args(requirements)
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // our own copies of the pipe's end must go, or it never ends
    drop(command);
    let mut last = VecDeque::new();
    for line in BufReader::new(reader).lines() {
        let line = line.map_err(failed)?;
        say(line.trim());
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    if child.wait().map_err(failed)?.success() {
        Ok(())
    } else {
        Err(PythonError::Pip { output: last.into_iter().collect::<Vec<_>>().join("\n") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_requirements_are_another_environment() {
        let home = PathBuf::from("/cache");
        let dir = |version| Spec::dask(version, home.clone()).dir();
        assert_ne!(dir("2026.3.0"), dir("2026.8.0"));
        assert_eq!(dir("2026.3.0"), dir("2026.3.0"));
    }

    #[test]
    fn a_directory_without_dask_is_refused_with_what_it_lacks() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = PythonEnv::existing(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("has no `bin/dask`"), "{error}");
    }

    #[test]
    fn pips_last_lines_explain_its_failure_and_nothing_half_made_is_kept() {
        let home = tempfile::tempdir().expect("a directory");
        let missing = home.path().join("no-such-package.whl").display().to_string();
        let spec = Spec { requirements: vec![missing.clone()], home: home.path().to_owned() };
        match ensure(&spec, &|_| {}) {
            Err(PythonError::Pip { output }) => assert!(output.contains("no-such-package"), "{output}"),
            other => panic!("{other:?}"),
        }
        assert!(!spec.dir().join(COMPLETE).exists());
    }
}
