//! How ECS is called, and what a failed call is to us.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use faregate_core::chain;
use faregate_core::ports::LauncherError;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A reconciler has to come to its end: so long a call may take, the SDK's retries included where there are any.
fn patience() -> TimeoutConfig {
    let connect = Duration::from_secs(3);
    TimeoutConfig::builder().connect_timeout(connect).operation_timeout(Duration::from_secs(10)).build()
}

/// The same client, which tries once: what is to be tried again, and when, is on record elsewhere.
pub(crate) fn once(client: &Client) -> Client {
    let config = client.config().to_builder().retry_config(RetryConfig::disabled()).timeout_config(patience()).build();
    Client::from_conf(config)
}

/// The same client, with the same patience.
pub(crate) fn patient(client: &aws_sdk_s3::Client) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(client.config().to_builder().timeout_config(patience()).build())
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// AWS refused it: nothing has happened.
    Refused {
        /// Its code, such as `ClientException`.
        code: String,
        /// Its own words.
        message: String,
    },
    /// There was no answer, or one that says nothing: anything may have happened.
    Unknown(String),
}

impl Failure {
    /// From what the SDK says.
    pub(crate) fn of<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> Failure {
        if let SdkError::ServiceError(answer) = error
            && answer.raw().status().as_u16() < 500
            && let Some(code) = answer.err().code()
        {
            let message = answer.err().message().unwrap_or_default();
            return Failure::Refused { code: code.to_owned(), message: message.trim_end_matches('.').to_owned() };
        }
        Failure::Unknown(chain(error))
    }

    /// Refused, and the words say this (in lower case).
    pub(crate) fn says(&self, words: &str) -> bool {
        matches!(self, Failure::Refused { message, .. } if message.to_lowercase().contains(words))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused { code, message } => write!(f, "{message} ({code})"),
            Failure::Unknown(why) => f.write_str(why),
        }
    }
}

impl From<Failure> for LauncherError {
    fn from(failure: Failure) -> Self {
        LauncherError(failure.to_string())
    }
}
