//! A batch of SQS messages: each by itself, all at once; those that fail come again alone.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use std::sync::Arc;
use tokio::task::JoinSet;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is done with.
    Yes,
    /// It is to come again.
    No,
}

/// Handles every message of a batch. One that panics counts as not taken.
pub async fn each<F, T>(event: SqsEvent, handle: F) -> SqsBatchResponse
where
    F: Fn(String) -> T + Send + Sync + 'static,
    T: Future<Output = Taken> + Send + 'static,
{
    let handle = Arc::new(handle);
    let mut running = JoinSet::new();
    let mut left = std::collections::BTreeSet::new();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        left.insert(id.clone());
        let body = message.body.unwrap_or_default();
        tracing::trace!(body, "a message");
        let taking = handle(body);
        running.spawn(async move { (id, taking.await) });
    }
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok((id, Taken::Yes)) => drop(left.remove(&id)),
            Ok((_, Taken::No)) => {}
            Err(panic) => tracing::error!(%panic, "message handler panicked; the message is delivered again"),
        }
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = left
        .into_iter()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}
