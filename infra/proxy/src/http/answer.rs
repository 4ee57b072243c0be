//! Answers: our own sentences, and bodies that are passed on.

use super::gateway::Lease;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a request gets.
pub(super) type Answer = Response<AnswerBody>;

/// The body of an answer.
pub(super) enum AnswerBody {
    /// Our own.
    Own(Full<Bytes>),
    /// A dashboard's.
    Dashboard(Incoming),
    /// The gateway's. Its connection can serve the next request when the body has ended.
    Gateway(Incoming, Option<Lease>),
}

/// `{"error": message}`.
pub(super) fn refuse(status: StatusCode, message: &str) -> Answer {
    let body = serde_json::json!({ "error": message }).to_string();
    let mut answer = Response::new(AnswerBody::Own(Full::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            AnswerBody::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            AnswerBody::Dashboard(body) => Pin::new(body).poll_frame(cx),
            AnswerBody::Gateway(body, lease) => {
                let frame = Pin::new(&mut *body).poll_frame(cx);
                if (matches!(frame, Poll::Ready(None)) || body.is_end_stream())
                    && let Some(lease) = lease.take()
                {
                    lease.give_back();
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Own(body) => body.is_end_stream(),
            AnswerBody::Dashboard(body) | AnswerBody::Gateway(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Own(body) => body.size_hint(),
            AnswerBody::Dashboard(body) | AnswerBody::Gateway(body, _) => body.size_hint(),
        }
    }
}
