//! The way to the schedulers: the function `relay`, which is in their network.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use faregate_core::ports::{Answer, Ask, SchedulerError, Schedulers};
use faregate_core::{Later, later};

/// Questions in one call.
const AT_ONCE: usize = 100;

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
            match self.call(asks).await {
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
