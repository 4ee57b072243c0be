//! Why somebody is not let in.

use crate::access::AuthBackendError;
use faregate_core::chain;
use std::borrow::Cow;

/// Somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The credentials are missing, or not good. Why is for the log: it is nobody else's business.
    #[error("{0}")]
    Denied(Cow<'static, str>),
    /// Who would have to say whether they are good cannot be asked: the sentence is for the caller.
    #[error("{0}")]
    Unavailable(String),
    /// They are known, and not let in by this way: the sentence is for the caller.
    #[error("{0}")]
    Forbidden(String),
    /// There are none: the caller is told how to sign in.
    #[error("there are no credentials")]
    Missing,
    /// What began with good ones is over: they are to be shown again.
    #[error("the session is over: {0}")]
    SessionOver(SessionEnd),
    /// They are not looked at now: the sentence is for the caller.
    #[error("{sentence}")]
    TooMany {
        /// Why, and what to do.
        sentence: String,
        /// In how many seconds to try again.
        seconds: i64,
    },
}

/// Why a session holds no longer. The sentences are for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnd {
    /// The password was changed; or the user was removed, and another has the name.
    #[error("this session began with a password that is no longer the account's: sign in again")]
    PasswordChanged,
    /// There is no such user any more.
    #[error("this user was removed by an administrator")]
    UserRemoved,
    /// The token it began with is no longer good.
    #[error("this token was revoked, or has expired")]
    TokenEnded,
    /// It is shown by another's process.
    #[error("this session is of another account's process")]
    AnothersProcess,
    /// The method is configured no more.
    #[error("this session began with a way to sign in that is no longer configured: sign in again")]
    MethodGone,
}

impl AuthError {
    /// For this reason.
    pub fn denied(why: impl Into<Cow<'static, str>>) -> Self {
        AuthError::Denied(why.into())
    }
}

impl From<AuthBackendError> for AuthError {
    fn from(error: AuthBackendError) -> Self {
        tracing::warn!(cause = chain(&error), "authentication unavailable");
        AuthError::Unavailable(error.to_string())
    }
}
