//! Refusals on the wire: `{"error": "…"}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use faregate_auth::access::AccessError;
use faregate_core::model::InvalidWhy;
use faregate_gateway::Refusal;
use serde::Serialize;

/// A refused request: a status, and a sentence that its user can act on.
///
/// The client shows the sentence for 404, 409, 422 and 500 only.
#[derive(Debug)]
pub struct Failure {
    /// 4xx or 5xx.
    pub status: StatusCode,
    /// The sentence.
    pub message: String,
    /// In how many seconds the same request may do better, where that is known.
    pub retry_after: Option<i64>,
}

impl Failure {
    /// A refusal with its status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Failure { status, message: message.into(), retry_after: None }
    }

    /// 422: the request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (status, message) = match refusal {
            Refusal::NotFound(message) => (StatusCode::NOT_FOUND, message),
            Refusal::Forbidden(message) => (StatusCode::FORBIDDEN, message),
            Refusal::Invalid(message) => (StatusCode::UNPROCESSABLE_ENTITY, message),
            Refusal::Conflict(message) => (StatusCode::CONFLICT, message),
            Refusal::Unavailable(message) => {
                tracing::warn!(cause = message, "request not served");
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
            Refusal::Internal(cause) => {
                tracing::error!(cause, "request failed");
                let message = "the gateway failed to do this: its log says why. Try again";
                (StatusCode::INTERNAL_SERVER_ERROR, message.to_owned())
            }
        };
        Failure::new(status, message)
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        let sentence = error.to_string();
        Failure::from(match error {
            AccessError::Invalid(_) => Refusal::Invalid(sentence),
            AccessError::NoUser(_) | AccessError::NoToken(_) => Refusal::NotFound(sentence),
            AccessError::UserExists(_) | AccessError::Contended => Refusal::Conflict(sentence),
            AccessError::Busy => Refusal::Unavailable(sentence),
            AccessError::Hashing(_) => Refusal::Internal(sentence),
            AccessError::Records(error) => error.into(),
        })
    }
}

impl From<InvalidWhy> for Failure {
    fn from(error: InvalidWhy) -> Self {
        Failure::invalid(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
        }
        let mut answer = json(self.status, &Body { error: &self.message });
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// An answer in JSON.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(256);
    // Maps with text keys and plain values: this cannot fail; should it, an empty body says less than a panic would cost.
    let status = match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => status,
        Err(error) => {
            tracing::error!(%error, "response not written");
            bytes.clear();
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}
