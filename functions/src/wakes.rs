//! Wakes on SQS: a standard queue with message groups, so that users take turns ("Amazon SQS fair queues").

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use faregate_core::model::Ms;
use faregate_core::ports::{Wake, Wakes, WakesError};
use faregate_core::{Later, later};
use serde::{Deserialize, Serialize};

/// SQS delays a message by 900 s at most.
const LONGEST_DELAY_S: i64 = 900;
/// A wake that fails to be handled comes again so often; then its message is left to the dead-letter queue.
const TRIES: u32 = 6;

/// A message's body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WakeMessage {
    /// Whom to look at.
    pub wake: Wake,
    /// How often it has failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl WakeMessage {
    /// The message that follows a failure, and after how long; none when that was the last try.
    pub fn again(&self) -> Option<(WakeMessage, Ms)> {
        let failed = self.failed + 1;
        (failed < TRIES).then(|| (WakeMessage { wake: self.wake.clone(), failed }, 2_000 << failed))
    }
}

/// The queue.
pub struct SqsWakes {
    client: Later<Client>,
    queue_url: String,
}

impl SqsWakes {
    /// Sends to this queue.
    pub fn new(client: impl FnOnce() -> Client + Send + 'static, queue_url: impl Into<String>) -> Self {
        SqsWakes { client: later(client), queue_url: queue_url.into() }
    }

    /// Sends a message, to arrive after a delay (rounded up to seconds).
    pub async fn send(&self, message: &WakeMessage, delay_ms: Ms) -> Result<(), WakesError> {
        let body = serde_json::to_string(message).map_err(|e| WakesError(e.to_string()))?;
        let seconds = ((delay_ms.max(0) + 999) / 1000).min(LONGEST_DELAY_S);
        self.client
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(body)
            .message_group_id(message.wake.group())
            .delay_seconds(seconds as i32)
            .send()
            .await
            .map(drop)
            .map_err(|e| WakesError(DisplayErrorContext(e).to_string()))
    }
}

#[async_trait]
impl Wakes for SqsWakes {
    async fn wake(&self, wake: Wake, delay_ms: Ms) -> Result<(), WakesError> {
        self.send(&WakeMessage { wake, failed: 0 }, delay_ms).await
    }
}
