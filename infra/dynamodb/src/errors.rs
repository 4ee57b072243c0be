//! What DynamoDB's errors mean.

use aws_sdk_dynamodb::error::{DisplayErrorContext, SdkError};
use faregate_core::ports::StoreError;
use std::error::Error;

/// The whole chain of causes in one line.
pub(crate) fn failed<E: Error + Send + Sync + 'static, R: std::fmt::Debug + Send + Sync + 'static>(
    operation: &str,
    error: SdkError<E, R>,
) -> StoreError {
    StoreError::Failed(format!("{operation}: {}", DisplayErrorContext(error)))
}
