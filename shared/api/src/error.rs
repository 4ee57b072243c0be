//! Refusals on the wire: `{"error": "…"}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use faregate_auth::access::AccessError;
use faregate_core::model::InvalidWhy;
use faregate_gateway::ServiceError;
use serde::Serialize;

/// Every status that a refusal has, and what it means.
pub const STATUSES: [(StatusCode, &str); 11] = [
    (StatusCode::UNAUTHORIZED, "credentials are missing or wrong; `WWW-Authenticate` says how to sign in"),
    (
        StatusCode::FORBIDDEN,
        "the caller may not: it is another's, for admins, beyond the token's scopes, from a page of another site, or from an address that is not served",
    ),
    (StatusCode::NOT_FOUND, "there is no such thing, or nothing at this path"),
    (StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method"),
    (StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
    (StatusCode::CONFLICT, "it is not in a state for that; or others were faster: try again"),
    (StatusCode::UNPROCESSABLE_ENTITY, "the request is wrong, a limit refuses it, or the caller is frozen"),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "too much at once; where it is known, `Retry-After` says in how many seconds to try again",
    ),
    (StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed, and its log says why"),
    (StatusCode::BAD_GATEWAY, "who would have to say whether credentials are good cannot be asked"),
    (StatusCode::SERVICE_UNAVAILABLE, "something that the gateway depends on is down, or it is busy: try again"),
];

/// A refused request: a status, and a sentence that its user can act on.
///
/// The client shows the sentence for 404, 409, 422 and 500 only.
#[derive(Debug)]
pub struct ApiError {
    /// 4xx or 5xx.
    pub status: StatusCode,
    /// The sentence.
    pub message: String,
    /// In how many seconds the same request may do better, where that is known.
    pub retry_after: Option<i64>,
}

impl ApiError {
    /// A refusal with its status, one of [`STATUSES`].
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        debug_assert!(STATUSES.iter().any(|(known, _)| *known == status), "STATUSES does not have {status}");
        ApiError { status, message: message.into(), retry_after: None }
    }

    /// 422: the request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }
}

impl From<ServiceError> for ApiError {
    fn from(refusal: ServiceError) -> Self {
        let (status, message) = match refusal {
            ServiceError::NotFound(message) => (StatusCode::NOT_FOUND, message),
            ServiceError::Forbidden(message) => (StatusCode::FORBIDDEN, message),
            ServiceError::Invalid(message) => (StatusCode::UNPROCESSABLE_ENTITY, message),
            ServiceError::Conflict(message) => (StatusCode::CONFLICT, message),
            ServiceError::Unavailable(message) => {
                tracing::warn!(cause = message, "request not served");
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
            ServiceError::Internal(cause) => {
                tracing::error!(cause, "request failed");
                let message = "the gateway failed to do this: its log says why. Try again";
                (StatusCode::INTERNAL_SERVER_ERROR, message.to_owned())
            }
        };
        ApiError::new(status, message)
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let sentence = error.to_string();
        ApiError::from(match error {
            AccessError::Invalid(_) => ServiceError::Invalid(sentence),
            AccessError::NoUser(_) | AccessError::NoToken(_) => ServiceError::NotFound(sentence),
            AccessError::UserExists(_) | AccessError::Contended => ServiceError::Conflict(sentence),
            AccessError::Busy => ServiceError::Unavailable(sentence),
            AccessError::Hashing(_) => ServiceError::Internal(sentence),
            AccessError::Records(error) => error.into(),
        })
    }
}

impl From<InvalidWhy> for ApiError {
    fn from(error: InvalidWhy) -> Self {
        ServiceError::from(error).into()
    }
}

impl IntoResponse for ApiError {
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
