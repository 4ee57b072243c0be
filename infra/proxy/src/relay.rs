//! Two connections, joined byte for byte until both directions have ended.
//!
//! Small messages are copied through a buffer that all connections of a thread share; a stream of them moves by
//! `splice` through a pipe, without entering this process. A connection that is idle owns neither.
//!
//! By hand: `tokio::io::copy_bidirectional` keeps 16 KiB for each connection, also while it is idle, and copies every byte in and out.

use crate::pipes::{self, Pipe};
use rustix::io::Errno;
use rustix::net::Shutdown;
use rustix::pipe::{SpliceFlags, splice};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The shared buffer of a thread.
const BUFFER: usize = 16 * 1024;
/// The most that one `splice` moves: more than a pipe holds.
const SPLICE: usize = 1 << 20;
/// Rounds after which other connections get their turn.
const TURN: u32 = 32;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// Bytes moved, when a relay ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// From the first connection to the second.
    pub sent: u64,
    /// From the second to the first.
    pub received: u64,
}

/// Relays until both sides have closed their sending half, or one fails; then both are closed.
///
/// A side that closes its sending half has that passed on to the other when its last byte was, and can still receive.
pub async fn relay(client: TcpStream, scheduler: TcpStream) -> io::Result<Relayed> {
    let (mut up, mut down) = (Direction::default(), Direction::default());
    poll_fn(|cx| {
        let sent = up.poll(cx, &client, &scheduler)?;
        let received = down.poll(cx, &scheduler, &client)?;
        if sent.is_ready() && received.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
    .map(|()| Relayed { sent: up.moved, received: down.moved })
}

/// One direction of a relay.
#[derive(Default)]
struct Direction {
    held: Held,
    /// The sender fills whole buffers: worth a pipe.
    bulk: bool,
    /// The sender has ended.
    ended: bool,
    /// The receiver was told.
    done: bool,
    moved: u64,
}

/// Bytes that were read and not written yet.
#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// So many in a pipe; may be none.
    Pipe(Pipe, usize),
    /// Those from this offset on: what the receiver did not take of a copy.
    Bytes(Box<[u8]>, usize),
}

impl Direction {
    fn poll(&mut self, cx: &mut Context<'_>, from: &TcpStream, to: &TcpStream) -> Poll<io::Result<()>> {
        for _ in 0..TURN {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_drain(cx, to))?;
            if self.ended {
                self.release();
                // Not connected any more = the other direction is about to say so.
                let _ = rustix::net::shutdown(to, Shutdown::Write);
                self.done = true;
                continue;
            }
            if from.poll_read_ready(cx)?.is_pending() {
                self.release();
                return Poll::Pending;
            }
            self.fill(from, to)?;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is held.
    fn poll_drain(&mut self, cx: &mut Context<'_>, to: &TcpStream) -> Poll<io::Result<()>> {
        loop {
            let written = match &mut self.held {
                Held::Nothing | Held::Pipe(_, 0) => return Poll::Ready(Ok(())),
                Held::Pipe(pipe, count) => {
                    ready!(to.poll_write_ready(cx))?;
                    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
                    let written =
                        to.try_io(Interest::WRITABLE, || Ok(splice(&pipe.read, None, to, None, *count, flags)?));
                    written.inspect(|n| *count -= n)
                }
                Held::Bytes(bytes, offset) => {
                    ready!(to.poll_write_ready(cx))?;
                    let written = to.try_write(&bytes[*offset..]);
                    written.inspect(|n| *offset += n)
                }
            };
            match written {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) if matches!(&self.held, Held::Bytes(bytes, offset) if *offset == bytes.len()) => {
                    self.held = Held::Nothing;
                }
                Ok(_) => {}
                Err(error) if is_retry(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Reads once. Nothing is held before it.
    fn fill(&mut self, from: &TcpStream, to: &TcpStream) -> io::Result<()> {
        let read = if self.bulk && self.ensure_pipe() { self.fill_pipe(from) } else { self.copy(from, to) };
        match read {
            Ok(0) => self.ended = true,
            Ok(n) => self.moved += n as u64,
            Err(error) if is_retry(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// At the limit of file descriptors there is no pipe: then everything is copied.
    fn ensure_pipe(&mut self) -> bool {
        if matches!(self.held, Held::Nothing)
            && let Some(pipe) = pipes::take()
        {
            self.held = Held::Pipe(pipe, 0);
        }
        matches!(self.held, Held::Pipe(..))
    }

    fn fill_pipe(&mut self, from: &TcpStream) -> io::Result<usize> {
        let Held::Pipe(pipe, held) = &mut self.held else { return Ok(0) };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let read = from.try_io(Interest::READABLE, || Ok(splice(from, None, &pipe.write, None, SPLICE, flags)?));
        *held = *read.as_ref().unwrap_or(&0);
        self.bulk = *held >= BUFFER;
        read
    }

    /// Reads into the shared buffer and writes at once; what the receiver does not take moves into one of our own.
    fn copy(&mut self, from: &TcpStream, to: &TcpStream) -> io::Result<usize> {
        self.release();
        SHARED.with_borrow_mut(|buffer| {
            let read = from.try_read(buffer)?;
            self.bulk = read == buffer.len();
            let written = match to.try_write(&buffer[..read]) {
                Ok(written) => written,
                Err(error) if is_retry(&error) => 0,
                Err(error) => return Err(error),
            };
            if written < read {
                self.held = Held::Bytes(buffer[written..read].into(), 0);
            }
            Ok(read)
        })
    }

    /// An idle connection owns no buffer.
    fn release(&mut self) {
        if let Held::Pipe(pipe, 0) = std::mem::take(&mut self.held) {
            pipes::give_back(pipe);
        }
    }
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        || error.raw_os_error() == Some(Errno::AGAIN.raw_os_error())
}
