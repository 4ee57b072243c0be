//! Bodies of requests that must come at a least rate, and within a time.

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// For so long nothing needs to come.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes a second that come from then on, on average.
pub(super) const LEAST_RATE: u64 = 4096;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request's body came too slowly")]
    Slow,
    #[error("the request's body broke off")]
    Broken(#[from] hyper::Error),
}

/// A body. Only the time that we wait for it counts: whoever reads it may be slow.
pub(super) struct Paced<B = Incoming> {
    body: B,
    most: Duration,
    received: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    late: Late,
}

/// Tells, also when the body is gone, whether it came too slowly.
#[derive(Clone, Debug, Default)]
pub(super) struct Late(Arc<AtomicBool>);

impl Late {
    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B> Paced<B> {
    /// It may keep us waiting for `most` in all.
    pub(super) fn new(body: B, most: Duration) -> Self {
        Paced { body, most, received: 0, waited: Duration::ZERO, waiting: None, late: Late::default() }
    }

    pub(super) fn late(&self) -> Late {
        self.late.clone()
    }

    /// How much longer we wait.
    fn patience(&self) -> Duration {
        let earned = GRACE + Duration::from_millis(self.received.saturating_mul(1000) / LEAST_RATE);
        earned.min(self.most).saturating_sub(self.waited)
    }
}

impl<B, E> Body for Paced<B>
where
    B: Body<Data = Bytes, Error = E> + Unpin,
    BodyError: From<E>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let paced = self.get_mut();
        match Pin::new(&mut paced.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some((since, _)) = paced.waiting.take() {
                    paced.waited += since.elapsed();
                }
                if let Some(Ok(frame)) = &frame {
                    paced.received += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Poll::Pending => {
                let patience = paced.patience();
                let (_, over) = paced.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(patience))));
                ready!(over.as_mut().poll(cx));
                paced.late.0.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(BodyError::Slow)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::convert::Infallible;

    impl From<Infallible> for BodyError {
        fn from(never: Infallible) -> Self {
            match never {}
        }
    }

    /// So many bytes, each after the same pause.
    struct Drip {
        left: usize,
        size: usize,
        pause: Duration,
        next: Pin<Box<Sleep>>,
    }

    impl Drip {
        fn new(left: usize, size: usize, pause: Duration) -> Self {
            Drip { left, size, pause, next: Box::pin(sleep(pause)) }
        }
    }

    impl Body for Drip {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            ready!(self.next.as_mut().poll(cx));
            self.left -= 1;
            let after = Instant::now() + self.pause;
            self.next.as_mut().reset(after);
            Poll::Ready(Some(Ok(Frame::data(vec![0; self.size].into()))))
        }
    }

    async fn comes(left: usize, size: usize, pause_ms: u64) -> bool {
        let body = Paced::new(Drip::new(left, size, Duration::from_millis(pause_ms)), Duration::from_secs(120));
        let late = body.late();
        let all = body.collect().await;
        assert_eq!(all.is_err(), late.is_so());
        all.is_ok_and(|all| all.to_bytes().len() == left * size)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_at_the_least_rate_or_not_at_all() {
        assert!(comes(9, 1, 1000).await, "a small one may take a while");
        assert!(!comes(11, 1, 1000).await);
        assert!(comes(100, 5000, 1000).await);
        assert!(!comes(100, 3000, 1000).await);
        assert!(!comes(130, 50_000, 1000).await, "and never for longer than it may in all");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_reader_takes_does_not_count() {
        let mut body = Paced::new(Drip::new(5, 1, Duration::from_millis(1)), Duration::from_secs(120));
        for _ in 0..5 {
            assert!(body.frame().await.unwrap().is_ok());
            sleep(Duration::from_secs(60)).await;
        }
        assert!(body.frame().await.is_none());
    }
}
