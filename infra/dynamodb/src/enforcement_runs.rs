//! Since when our own service is there without a break: what the enforcement run needs to know before it calls a cluster silent.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, number, text};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use faregate_core::model::Ms;
use faregate_core::ports::StoreError;

/// A run comes once a minute; after three minutes without one we were away.
const AWAY_MS: Ms = 180_000;

impl DynamoStore {
    /// Notes that a run begins. Since when they have come without a break.
    pub async fn enforcement_begins(&self, now: Ms) -> Result<Ms, StoreError> {
        match self.note_run(now, false).await? {
            Some(since) => Ok(since),
            None => self.note_run(now, true).await.map(|since| since.unwrap_or(now)),
        }
    }

    /// None when the last run is too long ago to go on from it.
    async fn note_run(&self, now: Ms, afresh: bool) -> Result<Option<Ms>, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text("pass"))
            .key("sk", text("pass"))
            .expression_attribute_names("#last_at", "last_at")
            .expression_attribute_values(":now", number(now))
            .return_values(ReturnValue::AllNew);
        let update = if afresh {
            update.update_expression("SET #last_at = :now, #since = :now").expression_attribute_names("#since", "since")
        } else {
            update
                .update_expression("SET #last_at = :now")
                .condition_expression("#last_at >= :recent")
                .expression_attribute_values(":recent", number(now - AWAY_MS))
        };
        match update.send().await {
            Ok(output) => Ok(output.attributes.as_ref().and_then(since)),
            Err(SdkError::ServiceError(e)) if e.err().is_conditional_check_failed_exception() => Ok(None),
            Err(error) => Err(failed("UpdateItem", error)),
        }
    }
}

fn since(item: &Item) -> Option<Ms> {
    match item.get("since") {
        Some(AttributeValue::N(at)) => at.parse().ok(),
        _ => None,
    }
}
