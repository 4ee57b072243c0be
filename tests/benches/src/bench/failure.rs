//! Why the bench could not go on: one sentence, and what caused it.

use std::error::Error;
use std::fmt;

/// A step that failed.
#[derive(Debug)]
pub struct Failure {
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What most steps give back.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure without a cause below it.
    pub fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), cause: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Failure {}

/// Says what was being done when an error came up.
pub trait Context<T> {
    /// The sentence; made only when it is needed.
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|cause| Failure { what: what(), cause: Some(cause.into()) })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.ok_or_else(|| Failure::new(what()))
    }
}
