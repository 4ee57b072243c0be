//! What HTTP is spoken over: a connection that knows whether a request is being answered.
//!
//! It sees to what the HTTP library does by itself. Between two requests, a head that has begun must be complete in time, and its bytes
//! count in the budget. And what the library answers to a head that it cannot read has no policy: a dashboard's page could frame
//! such an answer (with cookies that make the head too long, say), and would then be in an origin without bounds. So that goes out as an
//! answer of our own.

use crate::places::{Budget, HeldBytes};
use crate::sparse::Sparse;
use bytes::{Buf, Bytes};
use faregate_headers::seal;
use http::HeaderMap;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// So much of a head costs nothing: every connection has a buffer for it.
const FREE: usize = 8 * 1024;

/// What a connection's wire and its requests know of each other: how many exchanges have begun and ended. Odd = one is under way.
#[derive(Debug, Default)]
pub(super) struct Exchanges(AtomicU64);

/// An exchange: from a request's head until the body of its answer is gone.
#[derive(Debug)]
pub(super) struct Exchange {
    exchanges: Arc<Exchanges>,
    for_good: bool,
}

impl Exchanges {
    pub(super) fn begin(self: &Arc<Self>) -> Exchange {
        self.0.fetch_add(1, Ordering::Relaxed);
        Exchange { exchanges: self.clone(), for_good: false }
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Exchange {
    /// From here on the connection is a WebSocket.
    pub(super) fn for_good(&mut self) {
        self.for_good = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.for_good {
            self.exchanges.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A connection.
pub(super) struct Wire<T> {
    io: T,
    exchanges: Arc<Exchanges>,
    head_time: Duration,
    budget: Budget,
    head: Option<Head>,
    /// Our answer in place of the library's; after it nothing is written or read.
    instead: Option<Bytes>,
}

/// A head that has begun.
struct Head {
    /// Before which exchange.
    count: u64,
    bytes: usize,
    held: HeldBytes,
    deadline: Pin<Box<Sleep>>,
}

impl<T> Wire<T> {
    pub(super) fn new(io: T, exchanges: Arc<Exchanges>, head_time: Duration, budget: Budget) -> Self {
        Wire { io, exchanges, head_time, budget, head: None, instead: None }
    }

    /// Counts bytes of a head that is not complete.
    fn begun(&mut self, count: u64, bytes: usize) -> io::Result<()> {
        let head = self.head.get_or_insert_with(|| Head {
            count,
            bytes: 0,
            held: HeldBytes::default(),
            deadline: Box::pin(sleep(self.head_time)),
        });
        head.bytes += bytes;
        if self.budget.hold(&mut head.held, head.bytes.saturating_sub(FREE)) {
            return Ok(());
        }
        static REFUSED: Sparse = Sparse::new();
        if let Some(refused) = REFUSED.one() {
            tracing::warn!(refused, "request refused: too many heads are incomplete at once");
        }
        Err(ErrorKind::OutOfMemory.into())
    }

    /// Is this an answer of the HTTP library's own? All others have a policy.
    fn is_unsealed(&self, buffer: &[u8]) -> bool {
        const POLICY: &[u8] = b"content-security-policy";
        self.exchanges.count().is_multiple_of(2)
            && buffer.starts_with(b"HTTP/1.")
            && !buffer.windows(POLICY.len()).any(|part| part == POLICY)
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// Writes what goes out in place of the library's answer.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.instead.as_mut().filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            rest.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.instead.is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut wire.io).poll_read(cx, buf);
        let count = wire.exchanges.count();
        if wire.head.as_ref().is_some_and(|head| head.count != count) {
            wire.head = None;
        }
        if !count.is_multiple_of(2) {
            return read;
        }
        match read {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                Poll::Ready(wire.begun(count, buf.filled().len() - before))
            }
            Poll::Pending if let Some(head) = &mut wire.head => {
                ready!(head.deadline.as_mut().poll(cx));
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
            other => other,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.instead.is_some() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if wire.is_unsealed(buf) {
            wire.instead = Some(sealed(buf));
            return wire.poll_instead(cx).map_ok(|()| buf.len());
        }
        Pin::new(&mut wire.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        if wire.instead.is_some() || wire.is_unsealed(first) {
            return Pin::new(wire).poll_write(cx, first);
        }
        Pin::new(&mut wire.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.poll_instead(cx))?;
        Pin::new(&mut wire.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.poll_instead(cx))?;
        Pin::new(&mut wire.io).poll_shutdown(cx)
    }
}

/// The same status, with a policy and a sentence.
fn sealed(answer: &[u8]) -> Bytes {
    let line = answer.split(|b| *b == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let why = match line.split(' ').nth(1) {
        Some("431") => "the head of the request is too long, or has too many headers",
        Some("414") => "the address of the request is too long",
        _ => "the request is malformed",
    };
    let body = serde_json::json!({ "error": why }).to_string();
    let mut headers = HeaderMap::new();
    seal(&mut headers);
    let policy: String = headers.iter().map(|(k, v)| format!("{k}: {}\r\n", v.to_str().unwrap_or_default())).collect();
    let length = body.len();
    let head = format!(
        "{line}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{policy}\r\n"
    );
    (head + &body).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const ERROR: &[u8] =
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    #[tokio::test]
    async fn the_librarys_own_answers_get_a_policy_and_are_the_last() {
        let (ours, mut theirs) = duplex(4096);
        let exchanges = Arc::<Exchanges>::default();
        let mut wire = Wire::new(ours, exchanges.clone(), Duration::from_secs(60), Budget::new(1 << 20));
        let during = exchanges.begin();
        wire.write_all(ERROR).await.unwrap();
        drop(during);
        wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-security-policy: sandbox\r\n\r\n").await.unwrap();
        wire.write_all(b"more HTTP/1.1").await.unwrap();
        let mut passed = vec![0; ERROR.len() + 53 + 13];
        theirs.read_exact(&mut passed).await.unwrap();
        assert!(passed.starts_with(ERROR) && passed.ends_with(b"more HTTP/1.1"));

        wire.write_all(ERROR).await.unwrap();
        wire.flush().await.unwrap();
        assert!(wire.write_all(b"more").await.is_err());
        drop(wire);
        let mut said = String::new();
        theirs.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 431 ") && said.contains("frame-ancestors 'none'; sandbox"), "{said}");
        assert!(said.ends_with("or has too many headers\"}"), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_end_and_a_connection_may_wait_for_one() {
        let (ours, mut theirs) = duplex(4096);
        let exchanges = Arc::<Exchanges>::default();
        let mut wire = Wire::new(ours, exchanges.clone(), Duration::from_secs(10), Budget::new(1 << 20));
        let mut buffer = [0; 64];
        let idle = tokio::time::timeout(Duration::from_secs(3600), wire.read(&mut buffer)).await;
        assert!(idle.is_err(), "nothing has begun");
        for _ in 0..3 {
            theirs.write_all(b"GET").await.unwrap();
            wire.read_exact(&mut buffer[..3]).await.unwrap();
            let exchange = exchanges.begin();
            let busy = tokio::time::timeout(Duration::from_secs(3600), wire.read(&mut buffer)).await;
            assert!(busy.is_err(), "a request is being answered");
            drop(exchange);
        }
        theirs.write_all(b"GET").await.unwrap();
        wire.read_exact(&mut buffer[..3]).await.unwrap();
        assert_eq!(wire.read(&mut buffer).await.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn long_heads_share_a_budget() {
        let budget = Budget::new(16 * 1024);
        let wire = || {
            let (ours, theirs) = duplex(64 * 1024);
            (Wire::new(ours, Arc::default(), Duration::from_secs(60), budget.clone()), theirs)
        };
        let mut buffer = vec![0; 64 * 1024];
        let (mut first, mut one) = wire();
        one.write_all(&[b'a'; FREE + 16 * 1024]).await.unwrap();
        first.read_exact(&mut buffer[..FREE + 16 * 1024]).await.unwrap();
        let (mut second, mut two) = wire();
        two.write_all(&[b'a'; FREE]).await.unwrap();
        second.read_exact(&mut buffer[..FREE]).await.unwrap();
        two.write_all(b"a").await.unwrap();
        assert!(second.read(&mut buffer).await.is_err());
        drop(first);
        let (mut third, mut three) = wire();
        three.write_all(&[b'a'; FREE + 1]).await.unwrap();
        third.read_exact(&mut buffer[..FREE + 1]).await.unwrap();
    }
}
