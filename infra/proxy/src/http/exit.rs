//! The one exit: what leaves this proxy over HTTP passes here, and gets the policy that keeps it to itself.
//!
//! The HTTP library sends [`Departing`] bodies and nothing else, and nothing but [`depart`] makes one: an answer without its policy does
//! not compile. (What the library answers by itself, [`super::wire`] sees to.)

use super::answer::{Answer, AnswerBody, Mount, Source};
use super::headers;
use super::isolation::isolate;
use super::wire::Exchange;
use crate::places::Place;
use bytes::Bytes;
use faregate_headers::seal;
use http::{Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body whose head has its policy.
pub(super) struct Departing {
    body: AnswerBody,
    /// Both last as long as the body.
    _exchange: Exchange,
    _place: Option<Place>,
}

/// Lets an answer go.
pub(super) fn depart(answer: Answer, place: Option<Place>, mut exchange: Exchange) -> Response<Departing> {
    let Answer { mut response, source } = answer;
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    match source {
        Source::Ours => {
            seal(response.headers_mut());
            // our own sentences say nothing that another origin may not load: dashboards' pages by key are one, and some ask in vain
            if matches!(response.body(), AnswerBody::Own(_)) {
                response.headers_mut().remove("cross-origin-resource-policy");
            }
        }
        Source::Dashboard(Mount { entrance, host, path }) => {
            isolate(response.headers_mut(), entrance, host.as_ref(), &path);
            if switches {
                headers::set_websocket(response.headers_mut());
            }
        }
    }
    if switches {
        exchange.for_good();
    }
    response.map(|body| Departing { body, _exchange: exchange, _place: place })
}

impl Body for Departing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
