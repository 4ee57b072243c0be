//! A single-threaded executor in virtual time. Shells are polled when the clock or one of their wakers says so; a shell whose
//! caller crashed is dropped where it stands.

use faregate_core::model::Ms;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// One invocation of a shell.
pub type Shell = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Locks; a poisoned lock is as good as any in a world that ends with the first panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Slot {
    generation: u64,
    shell: Option<Shell>,
    process: usize,
    /// It is dead after this.
    deadline: Ms,
    waker: Waker,
}

/// Wakes one shell.
struct Call {
    slot: usize,
    generation: u64,
    ready: Arc<Mutex<Vec<(usize, u64)>>>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).push((self.slot, self.generation));
    }
}

/// The shells that are under way.
#[derive(Default)]
pub struct Executor {
    slots: Vec<Slot>,
    free: Vec<usize>,
    ready: Arc<Mutex<Vec<(usize, u64)>>>,
    generation: u64,
}

impl Executor {
    /// Adds a shell of `process` that is cut off after `deadline`; it runs with the next [`Executor::turn`].
    pub fn start(&mut self, shell: Shell, process: usize, deadline: Ms) {
        self.generation += 1;
        let generation = self.generation;
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let waker = Waker::from(Arc::new(Call { slot, generation, ready: self.ready.clone() }));
        let entry = Slot { generation, shell: Some(shell), process, deadline, waker };
        if slot == self.slots.len() {
            self.slots.push(entry);
        } else {
            self.slots[slot] = entry;
        }
        lock(&self.ready).push((slot, generation));
    }

    /// Polls what is ready. `crashed` tells, after each poll, whether the shell is to be dropped.
    pub fn turn(&mut self, now: Ms, mut crashed: impl FnMut() -> bool) {
        loop {
            let ready = std::mem::take(&mut *lock(&self.ready));
            if ready.is_empty() {
                return;
            }
            for (slot, generation) in ready {
                let entry = &mut self.slots[slot];
                if entry.generation != generation {
                    continue;
                }
                let Some(mut shell) = entry.shell.take() else { continue };
                let over = now > entry.deadline || {
                    let waker = entry.waker.clone();
                    let done = shell.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
                    crashed() || done
                };
                if over {
                    self.free.push(slot);
                } else {
                    self.slots[slot].shell = Some(shell);
                }
            }
        }
    }

    /// Drops every shell of a process.
    pub fn crash(&mut self, process: usize) {
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if slot.process == process && slot.shell.take().is_some() {
                self.free.push(i);
            }
        }
    }
}
