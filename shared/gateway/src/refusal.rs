//! Why a request was not carried out.

use faregate_core::model::InvalidWhy;
use faregate_core::ports::StoreError;

/// Why a request was not carried out. Nothing was changed by it. One HTTP status each.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 422: the request itself is wrong, or a limit refuses it.
    #[error("{0}")]
    Invalid(String),
    /// 409: not in this state, or try again.
    #[error("{0}")]
    Conflict(String),
    /// 503: something the gateway depends on is down.
    #[error("{0}")]
    Unavailable(String),
    /// 500: logged; the client gets a general sentence.
    #[error("{0}")]
    Internal(String),
}

impl From<InvalidWhy> for Refusal {
    fn from(error: InvalidWhy) -> Self {
        Refusal::Invalid(error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            // a status whose sentence the client shows
            StoreError::NoRoom(sentence) => {
                tracing::warn!(cause = sentence, "disk full: request refused");
                Refusal::Conflict(sentence)
            }
            error => Refusal::Unavailable(error.to_string()),
        }
    }
}
