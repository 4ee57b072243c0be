//! Request bodies, bounded, as JSON objects.

use super::budget;
use super::error::ApiError;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::timeout;

/// The largest body of a user's request, in bytes.
pub const SMALL: usize = 1 << 20;
/// The largest body of a heartbeat, in bytes.
pub const LARGE: usize = 16 << 20;
/// From its first byte to its last.
const TIME: Duration = Duration::from_secs(150);
/// How much of a body that is too large is read and thrown away, so that its sender gets to read our answer.
const DISCARD: usize = 64 << 20;

/// The whole body; 422 when it is longer than `limit` bytes, or ends early, 408 when it takes too long, 503 when too many are on their
/// way. Its bytes count as on their way until the result is dropped.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let expected = body.size_hint().exact().map_or(limit, |length| usize::try_from(length).unwrap_or(limit)).min(limit);
    let place = budget::take(expected).await?;
    let late =
        |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, format!("the body took more than {} seconds", TIME.as_secs()));
    let bytes = timeout(TIME, collect(body, limit, expected)).await.map_err(late)??;
    Ok(place.hold(bytes))
}

async fn collect(mut body: Body, limit: usize, expected: usize) -> Result<Bytes, ApiError> {
    let mut first = Bytes::new();
    let mut rest = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::invalid("the body ended early"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            (first, rest) = (Bytes::new(), Vec::new());
            if length > DISCARD {
                break;
            }
        } else if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve_exact(expected.max(length));
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    match length {
        _ if length > limit => Err(ApiError::invalid(format!("the body is longer than {limit} bytes"))),
        _ if rest.is_empty() => Ok(first),
        _ => Ok(rest.into()),
    }
}

/// Reads a body that nobody wants: answered before it has arrived, its connection could not be used again.
pub async fn discard(body: Body) {
    // whether it was there, or how long it was, changes nothing
    let _ = read(body, 0).await;
}

/// The body as a JSON object; 422 for anything else.
pub async fn read_object(body: Body) -> Result<Map<String, Value>, ApiError> {
    let bytes = read(body, SMALL).await?;
    let value = serde_json::from_slice(&bytes).map_err(|error| not_json(&bytes, &error))?;
    object(value)
}

/// What to say of a body that does not parse.
pub fn not_json(bytes: &[u8], error: &dyn std::fmt::Display) -> ApiError {
    if bytes.is_empty() {
        ApiError::invalid("the body is empty: send a JSON object")
    } else {
        ApiError::invalid(format!("the body is not JSON: {error}"))
    }
}

/// The value as an object; 422 for anything else.
pub fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(ApiError::invalid(format!("the body must be a JSON object, not {}", kind(&other)))),
    }
}

/// What a value is, in words.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A body that arrives in these pieces.
    struct Pieces(std::collections::VecDeque<&'static str>);

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(hyper::body::Frame::data(Bytes::from(piece)))))
        }
    }

    fn chunks(pieces: &[&'static str]) -> Body {
        Body::new(Pieces(pieces.iter().copied().collect()))
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_put_together() {
        assert_eq!(read(chunks(&["", "{\"a\"", ":", "", "1}"]), 100).await.unwrap(), "{\"a\":1}");
        assert_eq!(read(chunks(&["{}"]), 2).await.unwrap(), "{}");
        assert_eq!(read(Body::empty(), 2).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_with_the_limit() {
        let refused = read(chunks(&["abc", "d", "ef"]), 3).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.message.as_str()), (422, "the body is longer than 3 bytes"));
    }

    #[tokio::test]
    async fn anything_but_an_object_is_named() {
        for (body, says) in [
            ("", "the body is empty"),
            ("null", "not null"),
            ("[]", "not a list"),
            ("1", "not a number"),
            ("\"x\"", "not a string"),
            ("true", "not a boolean"),
            ("{", "the body is not JSON"),
        ] {
            let refused = read_object(Body::from(body)).await.unwrap_err();
            assert_eq!(refused.status, 422, "{body}");
            assert!(refused.message.contains(says), "{body}: {}", refused.message);
        }
    }
}
