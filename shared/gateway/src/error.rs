//! Why a request was not carried out.

use faregate_core::model::InvalidWhy;
use faregate_core::ports::StoreError;

/// Why a request was not carried out. Nothing was changed by it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ServiceError {
    /// There is no such thing, or not for this caller.
    #[error("{0}")]
    NotFound(String),
    /// The caller may not.
    #[error("{0}")]
    Forbidden(String),
    /// The request itself is wrong, or a limit refuses it.
    #[error("{0}")]
    Invalid(String),
    /// Not in this state, or others were faster: the same may succeed later.
    #[error("{0}")]
    Conflict(String),
    /// Something that the gateway depends on is down.
    #[error("{0}")]
    Unavailable(String),
    /// The gateway is wrong: for its log, not for its user.
    #[error("{0}")]
    Internal(String),
}

impl From<InvalidWhy> for ServiceError {
    fn from(error: InvalidWhy) -> Self {
        ServiceError::Invalid(error.to_string())
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            // a kind of error whose sentence the client shows
            StoreError::NoRoom(sentence) => {
                tracing::warn!(cause = sentence, "disk full: request refused");
                ServiceError::Conflict(sentence)
            }
            error => ServiceError::Unavailable(error.to_string()),
        }
    }
}
