//! Stopping. A supervisor takes a task down by itself, in turns of SIGINT, SIGTERM and SIGKILL, whatever becomes of the gateway; one
//! that is gone, or does not do it, is replaced by the launcher.

use super::facts::Entry;
use super::watch::facts;
use super::{Inner, lock};
use faregate_core::model::{TaskId, TaskState};
use rustix::process::Signal;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// What a supervisor may need beyond twice its two timeouts.
const GRACE: Duration = Duration::from_secs(1);

impl Inner {
    /// Asks a task to stop; asking again does not begin again.
    pub(super) fn stop(self: &Arc<Self>, id: &TaskId) -> io::Result<()> {
        if self.facts(id)?.is_none_or(|facts| facts.state == TaskState::Stopped) {
            return Ok(());
        }
        let Some(entry) = lock(&self.index).tasks.get(id).cloned() else { return Ok(()) };
        let supervised = entry.supervisor_is_alive()?;
        if let (true, Some(supervisor)) = (supervised, &entry.supervisor) {
            supervisor.signal(Signal::INT)?;
        }
        if lock(&self.stopping).insert(id.clone()) {
            self.in_background(see_it_stop(Arc::downgrade(self), id.clone(), entry, supervised));
        }
        Ok(())
    }
}

async fn see_it_stop(inner: Weak<Inner>, id: TaskId, entry: Entry, supervised: bool) {
    let Some((sigint, sigterm)) = inner.upgrade().map(|i| (i.settings.sigint_timeout, i.settings.sigterm_timeout))
    else {
        return;
    };
    let turns = if supervised {
        vec![(None, 2 * (sigint + sigterm) + GRACE)]
    } else {
        vec![(Some(Signal::INT), sigint), (Some(Signal::TERM), sigterm)]
    };
    for (signal, patience) in turns {
        send(&entry, &id, signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if is_over(&inner, &id).await {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    while !is_over(&inner, &id).await {
        send(&entry, &id, Some(Signal::KILL));
        if let Some(Err(error)) = entry.supervisor.map(|supervisor| supervisor.signal(Signal::KILL)) {
            tracing::warn!(task = %id, %error, "killing a supervisor failed");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn send(entry: &Entry, id: &TaskId, signal: Option<Signal>) {
    let Some(signal) = signal else { return };
    let sent = entry.members(id).and_then(|members| members.iter().try_for_each(|member| member.signal(signal)));
    if let Err(error) = sent {
        tracing::warn!(task = %id, signal = signal.as_raw(), %error, "signalling a task failed");
    }
}

/// At rest, or no longer ours to care for.
async fn is_over(inner: &Weak<Inner>, id: &TaskId) -> bool {
    let Some(inner) = inner.upgrade() else { return true };
    let over = facts(&inner, id).await.is_ok_and(|facts| facts.is_none_or(|facts| facts.state == TaskState::Stopped));
    if over {
        lock(&inner.stopping).remove(id);
    }
    over
}
