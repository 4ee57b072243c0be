//! Accepting, also at the limit of file descriptors: the new are refused, the old are kept.

use crate::sparse::Sparse;
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How many descriptors this process may have.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorLimit(Option<u64>);

impl DescriptorLimit {
    /// As a number.
    pub fn count(self) -> u64 {
        self.0.unwrap_or(u64::MAX)
    }

    /// Public connections get descriptors below this number only (the kernel gives out the lowest one that is free).
    /// The rest, 32 or a quarter, is for the gateway: a flood of clients must not keep heartbeats out.
    pub(crate) fn public_ceiling(self) -> Option<i32> {
        self.0.map(|limit| i32::try_from(limit - (limit / 4).min(32)).unwrap_or(i32::MAX))
    }
}

/// Raises the soft limit of open files to the hard one, and says what it is now.
pub fn raise_descriptor_limit() -> DescriptorLimit {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => DescriptorLimit(maximum),
        Err(error) => {
            tracing::warn!(%error, ?current, ?maximum, "open file limit not raised");
            DescriptorLimit(current)
        }
    }
}

/// Accepts for ever. Connections inherit what is set on the listener: no delay, and keep-alive probes, so that a
/// peer that vanished without a word is noticed after about twelve minutes, and no middlebox forgets an idle relay.
pub(crate) async fn serve(listener: TcpListener, ceiling: Option<i32>, mut connected: impl FnMut(TcpStream)) {
    if let Err(error) = tune(&listener) {
        tracing::warn!(%error, "listener socket options not set");
    }
    if listener.local_addr().is_ok_and(|address| address.ip().is_loopback()) {
        tune_local(&listener);
    }
    let mut spare = Spare::new();
    let refused = Sparse::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) if ceiling.is_some_and(|ceiling| stream.as_raw_fd() >= ceiling) => refuse_one(&refused),
            Ok((stream, _)) => connected(stream),
            Err(error) if is_out_of_descriptors(&error) => {
                refuse_one(&refused);
                spare.refuse_one(&listener).await;
            }
            // Of the connection, not of the listener: it was reset while it waited, for example.
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed; trying again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Socket options of every connection.
pub(crate) fn tune(socket: impl rustix::fd::AsFd) -> Result<(), Errno> {
    let socket = socket.as_fd();
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(120))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(30))?;
    sockopt::set_tcp_keepcnt(socket, 20)
}

/// For a socket whose peers are on this machine. Where the system's congestion control is BBR, its pacing would set a timer for
/// nearly every segment, which costs half of a relay's CPU, and there is no network to spare.
pub(crate) fn tune_local(socket: impl rustix::fd::AsFd) {
    const ALWAYS_BUILT_IN: &str = "reno";
    // Refused by a kernel that is not Linux in full: slower, not wrong.
    let _ = sockopt::set_tcp_congestion(socket, ALWAYS_BUILT_IN);
}

/// A descriptor held back: given up for a moment, it lets a connection be accepted in order to be closed. Without it,
/// the connection would stay in the queue and `accept` fail in a loop.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Spare(File::open("/dev/null").ok())
    }

    async fn refuse_one(&mut self, listener: &TcpListener) {
        self.0 = None;
        // Never waits for a connection: the one that could not be accepted is there, or has gone.
        let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        drop(accepted);
        *self = Spare::new();
        if self.0.is_none() {
            // Another thread was faster. Nothing can be refused until something closes.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn refuse_one(refused: &Sparse) {
    if let Some(refused) = refused.one() {
        tracing::warn!(refused, "open file limit reached: new connections are refused");
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|e| Some(e.raw_os_error()) == errno)
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
