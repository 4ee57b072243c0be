//! Answers: our own sentences, and bodies that are passed on. Each knows whose it is: [`super::exit`] makes what leaves of it.

use super::gateway::Lease;
use super::isolation::Entrance;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a request gets, before it leaves.
pub(super) struct Answer {
    pub(super) response: Response<AnswerBody>,
    pub(super) source: Source,
}

/// Who speaks.
pub(super) enum Source {
    /// This proxy, or the gateway.
    Ours,
    /// A dashboard.
    Dashboard(Mount),
}

/// Where a dashboard was asked, and by what right.
pub(super) struct Mount {
    pub(super) entrance: Entrance,
    /// The request's `Host`.
    pub(super) host: Option<HeaderValue>,
    /// The path of the dashboard's own `/`, without the slash.
    pub(super) path: String,
}

/// The body of an answer.
pub(super) enum AnswerBody {
    /// Our own.
    Own(Full<Bytes>),
    /// A dashboard's.
    Dashboard(Incoming),
    /// The gateway's. Its connection can serve the next request when the body has ended.
    Gateway(Incoming, Option<Lease>),
}

impl Answer {
    /// This proxy's, or the gateway's.
    pub(super) fn ours(response: Response<AnswerBody>) -> Self {
        Answer { response, source: Source::Ours }
    }

    /// Nothing but a status.
    pub(super) fn empty(status: StatusCode) -> Self {
        let mut response = Response::new(AnswerBody::Own(Full::default()));
        *response.status_mut() = status;
        Answer::ours(response)
    }

    pub(super) fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }
}

/// `{"error": message}`.
pub(super) fn refuse(status: StatusCode, message: &str) -> Answer {
    let body = serde_json::json!({ "error": message }).to_string();
    let mut answer = Answer::empty(status);
    *answer.response.body_mut() = AnswerBody::Own(Full::from(body));
    answer.with(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

/// The same, with when to try again.
pub(super) fn refuse_for_now(status: StatusCode, message: &str) -> Answer {
    refuse(status, message).with(header::RETRY_AFTER, HeaderValue::from_static("1"))
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
