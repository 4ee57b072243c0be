//! Tasks that run under the gateway's own uid, confined to what is theirs.
//!
//! Landlock (ABI 6 or later) decides over files, signals, tracing and abstract sockets, a seccomp filter over the calls by which a process
//! changes another of the same uid without either. Both hold for all descendants, for good. Landlock allows and never forbids: what
//! tasks may use is everything beside the paths that are not for them, entry by entry (see [`paths`]).

mod aliases;
mod paths;
mod syscalls;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
    Scope, make_bitflags,
};
use paths::{Grant, Rights};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What one task is confined to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Not for tasks: the data directory. Only names can be listed there.
    pub(crate) hidden: Vec<PathBuf>,
    /// To be read and run, and not changed.
    pub(crate) read_only: Vec<PathBuf>,
    /// The exceptions within what is hidden: the cluster's own directory, to be read …
    pub(crate) readable: Vec<PathBuf>,
    /// … and its tasks' working directory, to be used as they like.
    pub(crate) writable: Vec<PathBuf>,
}

/// This machine cannot confine tasks.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Too old a kernel, or Landlock is not among its security modules.
    #[error("the kernel has no Landlock of ABI 6 (Linux 6.12 or later, with `landlock` among its security modules)")]
    Landlock(#[source] landlock::RulesetError),
    /// No seccomp, or an architecture that no filter is known for.
    #[error("the kernel takes no seccomp filter")]
    Seccomp(#[source] io::Error),
    /// The paths were not walked.
    #[error("what tasks may use cannot be listed")]
    Paths(#[source] io::Error),
    /// It was tried, and what is hidden could be read.
    #[error("a confined process could still read `{}`", .0.display())]
    Open(PathBuf),
}

impl Confinement {
    /// Everything beside the data directory; and for reading alone what would let a task start something outside: the files by which a
    /// shell or a session starts (the entries of a home directory that begin with a dot, caches apart).
    pub fn of_gateway(data_dir: &Path, homes: &[PathBuf]) -> io::Result<Confinement> {
        let hidden = aliases::of(data_dir)?;
        let mut read_only = Vec::new();
        for home in homes.iter().filter(|home| home.is_absolute() && *home != Path::new("/")) {
            read_only.extend(paths::start_up_files(home)?);
        }
        Ok(Confinement { hidden, read_only, readable: Vec::new(), writable: Vec::new() })
    }

    /// The same, for the tasks of the cluster with this directory.
    pub(crate) fn with_cluster(&self, cluster: PathBuf, work: PathBuf) -> Confinement {
        Confinement { readable: vec![cluster], writable: vec![work], ..self.clone() }
    }

    /// Can nothing be made in this directory? Something hidden is below it.
    pub(crate) fn bars(&self, directory: &Path) -> bool {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        self.hidden.iter().any(|hidden| hidden.starts_with(&directory))
    }

    /// Confines the calling thread, and whatever it starts from here on. There is no way back.
    pub(crate) fn apply(&self) -> Result<(), ConfineError> {
        let grants = self.grants().map_err(ConfineError::Paths)?;
        restrict(grants).map_err(ConfineError::Landlock)?;
        syscalls::restrict().map_err(ConfineError::Seccomp)
    }

    /// Confines a thread that does nothing else, and has it try to read a file that is hidden.
    pub fn try_on(&self, secret: &Path) -> Result<(), ConfineError> {
        let attempt = || match self.apply().map(|()| std::fs::read(secret)) {
            Ok(Ok(_)) => Err(ConfineError::Open(secret.to_owned())),
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Ok(Err(error)) => Err(ConfineError::Paths(error)),
            Err(error) => Err(error),
        };
        std::thread::scope(|scope| scope.spawn(attempt).join())
            .unwrap_or_else(|_| Err(ConfineError::Paths(io::Error::other("the thread panicked"))))
    }

    fn grants(&self) -> io::Result<Vec<Grant>> {
        let mut grants = paths::beside(&self.hidden, &self.read_only)?;
        grants.extend(self.readable.iter().filter_map(|path| Grant::open(path, Rights::Read)));
        grants.extend(self.writable.iter().filter_map(|path| Grant::open(path, Rights::All)));
        Ok(grants)
    }
}

/// What a task may do with what it has been granted, as Landlock names it.
fn access(grant: &Grant) -> BitFlags<AccessFs> {
    let all = AccessFs::from_all(ABI::V6);
    let access = match grant.rights {
        Rights::All => all,
        Rights::Read => AccessFs::from_read(ABI::V6),
        Rights::Names => AccessFs::ReadDir.into(),
    };
    if grant.is_directory { access } else { access & AccessFs::from_file(ABI::V6) }
}

fn restrict(grants: Vec<Grant>) -> Result<(), landlock::RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V6))?
        .scope(make_bitflags!(Scope::{Signal | AbstractUnixSocket}))?
        // from Linux 7.1 on: sockets of other services, whose paths lead out of here (a session's bus and service manager, say)
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::ResolveUnix)?
        .create()?;
    let rules = grants.into_iter().map(|grant| {
        let access = access(&grant);
        let access = if grant.sockets { access | AccessFs::ResolveUnix } else { access };
        Ok(PathBeneath::new(grant.fd, access))
    });
    ruleset.add_rules::<_, _, _, landlock::RulesetError>(rules)?.restrict_self().map(drop)
}

#[cfg(test)]
mod tests;
