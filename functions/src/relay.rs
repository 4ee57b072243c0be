//! The way to the schedulers: the function `relay`, which is in their network.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use faregate_core::ports::{Answer, Ask, SchedulerError, Schedulers};
use faregate_core::{Later, later};
use std::time::{Duration, Instant};

/// Questions in one call.
const AT_ONCE: usize = 100;
/// A call that fails so soon is made once more: Lambda refuses the first one to a function that nobody has called for weeks.
const SOON: Duration = Duration::from_secs(5);
/// Before that, the pause.
const PAUSE: Duration = Duration::from_secs(2);

/// Asks through a function.
pub struct RelaySchedulers {
    client: Later<Client>,
    function: String,
}

type Answers = Vec<Result<Answer, SchedulerError>>;

impl RelaySchedulers {
    /// Through this function (name or ARN).
    pub fn new(client: impl FnOnce() -> Client + Send + 'static, function: impl Into<String>) -> Self {
        RelaySchedulers { client: later(client), function: function.into() }
    }

    /// Calls the relay with no question, so that Lambda keeps it ready.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn keep_ready(&self) -> Result<(), String> {
        self.call_twice(&[]).await.map(drop)
    }

    async fn call_twice(&self, asks: &[Ask]) -> Result<Answers, String> {
        let begun = Instant::now();
        match self.call(asks).await {
            Err(error) if begun.elapsed() < SOON => {
                tracing::debug!(error, "relay failed; it is called again");
                tokio::time::sleep(PAUSE).await;
                self.call(asks).await
            }
            answer => answer,
        }
    }

    async fn call(&self, asks: &[Ask]) -> Result<Answers, String> {
        let payload = serde_json::to_vec(asks).map_err(|e| e.to_string())?;
        let call = self.client.invoke().function_name(&self.function).payload(Blob::new(payload));
        let output = call.send().await.map_err(|e| DisplayErrorContext(e).to_string())?;
        let answer = output.payload.map(Blob::into_inner).unwrap_or_default();
        if let Some(error) = output.function_error {
            return Err(format!("the relay failed ({error})"));
        }
        let answers: Answers = serde_json::from_slice(&answer).map_err(|e| format!("the relay's answer: {e}"))?;
        if answers.len() == asks.len() {
            Ok(answers)
        } else {
            Err(format!("the relay gave {} answers to {} questions", answers.len(), asks.len()))
        }
    }
}

#[async_trait]
impl Schedulers for RelaySchedulers {
    /// A relay that fails is no answer of any scheduler.
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let mut answers = Vec::new();
        for asks in asks.chunks(AT_ONCE) {
            match self.call_twice(asks).await {
                Ok(page) => answers.extend(page),
                Err(error) => {
                    tracing::warn!(error, questions = asks.len(), "relay failed; schedulers were not asked");
                    answers.extend(asks.iter().map(|_| Err(SchedulerError::Relay(error.clone()))));
                }
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A Lambda that refuses so many calls, as it does while a function becomes active again. How often it was called.
    async fn called(refusals: usize) -> (Result<(), String>, usize) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let lambda = axum::Router::new().fallback(move || {
            let refused = counted.fetch_add(1, Ordering::SeqCst) < refusals;
            async move { if refused { (StatusCode::CONFLICT, "{}").into_response() } else { "[]".into_response() } }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, lambda).await });
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::Credentials::new("a", "b", None, None, "test"))
            .http_client(crate::http::client().unwrap())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .endpoint_url(url);
        let relay = RelaySchedulers::new(|| Client::from_conf(config.build()), "relay");
        let done = relay.keep_ready().await;
        (done, calls.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn a_call_that_is_refused_once_is_made_again_and_no_more() {
        assert_eq!(called(0).await, (Ok(()), 1));
        assert_eq!(called(1).await, (Ok(()), 2));
        let (done, calls) = called(9).await;
        assert!(done.is_err() && calls == 2, "{done:?} after {calls} calls");
    }
}
