//! The body of a request for the gateway: a small one is here before the gateway is asked, so that who sends slowly holds no place there.

use super::paced::{BodyError, Late, Paced};
use crate::places::{Budget, HeldBytes};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Bodies up to this many bytes are taken in whole.
const SMALL: usize = 64 * 1024;

/// What goes to the gateway: bytes that are here, and then perhaps the rest as it comes.
pub(super) struct Outgoing {
    first: Bytes,
    rest: Option<Paced>,
    _held: HeldBytes,
}

/// Why a body was not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("too many requests are incomplete at once")]
    NoRoom,
}

impl Outgoing {
    /// None at all.
    pub(super) fn empty() -> Self {
        Outgoing { first: Bytes::new(), rest: None, _held: HeldBytes::default() }
    }

    /// Takes a body in, whole if it is small, which may keep us waiting for `most` in all.
    pub(super) async fn take(body: hyper::body::Incoming, most: Duration, budget: &Budget) -> Result<Self, NotTaken> {
        if body.is_end_stream() {
            return Ok(Outgoing::empty());
        }
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut rest = Paced::new(body, most);
        let (mut first, mut held) = (BytesMut::new(), HeldBytes::default());
        while expected <= SMALL && first.len() <= SMALL {
            let Some(frame) = rest.frame().await else {
                return Ok(Outgoing { first: first.freeze(), rest: None, _held: held });
            };
            // trailers say nothing that the gateway would hear
            let Ok(data) = frame?.into_data() else { continue };
            if !budget.hold(&mut held, first.len() + data.len()) {
                return Err(NotTaken::NoRoom);
            }
            first.extend_from_slice(&data);
        }
        Ok(Outgoing { first: first.freeze(), rest: Some(rest), _held: held })
    }

    /// Tells whether the rest came too slowly.
    pub(super) fn late(&self) -> Late {
        self.rest.as_ref().map(Paced::late).unwrap_or_default()
    }

    /// Is all of it here?
    pub(super) fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// Nothing, or nothing any more.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest.is_none()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let (first, rest) = (self.first.len() as u64, self.rest.as_ref().map(Body::size_hint));
        let Some(rest) = rest else { return SizeHint::with_exact(first) };
        let mut all = SizeHint::new();
        all.set_lower(first + rest.lower());
        if let Some(upper) = rest.upper() {
            all.set_upper(first + upper);
        }
        all
    }
}
