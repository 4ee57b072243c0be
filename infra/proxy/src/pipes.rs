//! Pipes, the buffers that `splice` needs. A few that are empty are kept for the next who moves data, so that a relay
//! holds one only while it does.

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// Bytes a pipe may hold, where the system's limit (`pipe-user-pages-soft`) allows it.
const CAPACITY: usize = 1024 * 1024;
/// Empty pipes kept.
const KEEP: usize = 16;

static FREE: Mutex<Vec<Pipe>> = Mutex::new(Vec::new());

/// Both ends of a pipe, neither of which blocks.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) read: OwnedFd,
    pub(crate) write: OwnedFd,
}

/// An empty pipe; none at the limit of file descriptors.
pub(crate) fn take() -> Option<Pipe> {
    if let Some(pipe) = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop() {
        return Some(pipe);
    }
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
    // Refused over the system's limit: the pipe works all the same.
    let _ = fcntl_setpipe_size(&write, CAPACITY);
    Some(Pipe { read, write })
}

/// Gives a pipe back. It must be empty.
pub(crate) fn give_back(pipe: Pipe) {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    if free.len() < KEEP {
        free.push(pipe);
    }
}
