//! Why something about accounts, tokens or blocks was not done.

use super::password::HashingError;
use faregate_core::ports::StoreError;

/// Why it was not done. Nothing was changed by it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// What was asked for cannot be: the sentence names the field.
    #[error("{0}")]
    Invalid(String),
    /// There is such a user, with a password.
    #[error("there is a user `{}` already: to change the password, set it", .0.escape_debug())]
    UserExists(String),
    /// There is none.
    #[error("there is no user `{}` with a password", .0.escape_debug())]
    NoUser(String),
    /// There is no token with this id, or it is another's.
    #[error("there is no token `{}`", .0.chars().take(64).collect::<String>().escape_debug())]
    NoToken(String),
    /// Others were always faster.
    #[error("others change this at the same time; try again")]
    Contended,
    /// Too many passwords are being hashed.
    #[error("too many passwords wait to be checked; try again")]
    Busy,
    /// A new password could not be hashed.
    #[error("a password could not be hashed: {0}")]
    Hashing(String),
    /// The records cannot be read, or written.
    #[error(transparent)]
    Records(#[from] StoreError),
}

impl From<HashingError> for AccessError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => AccessError::Busy,
            HashingError::Failed(problem) => AccessError::Hashing(problem),
        }
    }
}

impl AccessError {
    /// Is it what was asked for that is wrong?
    pub fn is_invalid(&self) -> bool {
        matches!(self, AccessError::Invalid(_))
    }
}
