//! Who the tasks of a user run as.
//!
//! Started as root, no two users share a uid and nobody is root: tasks run as the user's own system account, or under a uid that
//! is the user's alone. Not started as root there is one uid, the gateway's: tasks are confined to what is theirs, or, where an
//! administrator says so, not separated at all.

mod account;
pub mod reach;
mod uid_range;

pub use account::AccountRules;
pub use uid_range::{AssignmentsError, InvalidRange, UidRange, passing_range, release};

use super::confine::Confinement;
use super::records::RunAs;
use faregate_core::model::user_name;
use std::path::{Path, PathBuf};
use uid_range::Assignments;

/// How the tasks of different users are kept from each other, and from the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Separation {
    /// They are not: all run as the gateway does.
    Shared,
    /// All run under the gateway's uid, each confined to its own cluster's files and its own processes.
    Confined(Confinement),
    /// Each runs as the system account of its user's name. Needs root.
    Accounts(AccountRules),
    /// Each runs under a uid that its user alone has. Needs root.
    UidRange(UidRange),
}

impl Separation {
    /// Do tasks run under other uids than the gateway's own?
    pub(crate) fn changes_user(&self) -> bool {
        matches!(self, Separation::Accounts(_) | Separation::UidRange(_))
    }
}

/// Another uid than the gateway's, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskIdentity {
    /// The numbers.
    pub run_as: RunAs,
    /// Its home directory.
    pub home: PathBuf,
    /// Where the uid comes from.
    pub kind: IdentityKind,
}

/// Where a uid comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentityKind {
    /// The user's system account: home and files elsewhere are theirs, not ours.
    Account,
    /// The gateway has assigned it; the home directory is in the data directory.
    Assigned,
}

/// Finds out who the tasks of a user run as.
#[derive(Debug)]
pub(crate) struct Identities {
    separation: Separation,
    assignments: Option<Assignments>,
}

impl Identities {
    /// With a uid range, opens what has been assigned from it in this data directory.
    pub fn open(separation: Separation, data_dir: &Path) -> Result<Identities, AssignmentsError> {
        let assignments = match &separation {
            Separation::UidRange(range) => Some(Assignments::open(data_dir, range.clone())?),
            Separation::Shared | Separation::Confined(_) | Separation::Accounts(_) => None,
        };
        Ok(Identities { separation, assignments })
    }

    /// The identity of a user's tasks; none = the gateway's own. The error is a sentence that names the user: this will not change by
    /// trying again.
    pub fn of(&self, user: &str) -> Result<Option<TaskIdentity>, IdentityError> {
        // the one form of a name, whoever says it
        let name = user_name(user).map_err(|error| IdentityError::Refused(format!("`{user}`: {error}")))?;
        let user = name.as_str();
        match (&self.separation, &self.assignments) {
            (Separation::Accounts(rules), _) => rules.identity(user).map(Some),
            (Separation::UidRange(_), Some(assignments)) => assignments.identity(user).map(Some),
            _ => Ok(None),
        }
    }
}

/// Nobody to run tasks as.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// Trying again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// The assignment of a uid was not written down.
    #[error("a uid for the tasks of `{user}` cannot be assigned: {source}")]
    Failed {
        /// For whom.
        user: String,
        /// Why.
        source: std::io::Error,
    },
}
