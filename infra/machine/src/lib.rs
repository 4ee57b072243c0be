//! Clock, randomness and announcements of this machine: the core's [`Host`], for every host that there is, and [`now`] for the proxy.
//!
//! Depends on core and keys (clusters' certificates are drawn here). Begin with [`Machine`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod steady;

use async_trait::async_trait;
use aws_lc_rs::rand;
use faregate_core::model::{Certificate, ClusterName, Ms};
use faregate_core::ports::Host;
use faregate_keys::issue_certificate;
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use steady::Steady;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What was announced so recently may have been missed between the caller's look and its wait: it then waits this long at most.
const RECENT: Duration = Duration::from_millis(100);
/// Announcements that a slow waiter may lag behind; who lags further looks again.
const BACKLOG: usize = 256;

/// The host.
pub struct Machine {
    announcements: broadcast::Sender<ClusterName>,
    recent: Mutex<HashMap<ClusterName, Instant>>,
    steady: Option<Steady>,
}

impl Machine {
    /// One that notices when its clock is set. For hosts that are never frozen between two moments, as functions are.
    pub fn watching() -> Self {
        Machine { steady: Some(Steady::new(now(), uptime())), ..Machine::default() }
    }

    /// By how much the clock was set since this was last asked; forward is above zero.
    pub fn clock_was_set(&self) -> Option<Ms> {
        self.steady.as_ref()?.take_set(now(), uptime())
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine { announcements: broadcast::channel(BACKLOG).0, recent: Mutex::default(), steady: None }
    }
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system always has randomness");
    bytes
}

/// Now, in milliseconds since the Unix epoch.
pub fn now() -> Ms {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Ms)
}

/// Milliseconds since the machine was started, those in which it slept included: `CLOCK_BOOTTIME`, which nobody sets.
pub fn uptime() -> Ms {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

#[async_trait]
impl Host for Machine {
    fn now(&self) -> Ms {
        now()
    }

    fn uptime(&self) -> Ms {
        uptime()
    }

    fn steady_since(&self) -> Ms {
        self.steady.as_ref().map_or(0, |steady| steady.since(now(), uptime()))
    }

    fn random(&self) -> u64 {
        u64::from_ne_bytes(random())
    }

    fn nonce(&self) -> [u8; 12] {
        random()
    }

    fn certificate(&self, name: &ClusterName) -> Result<Certificate, String> {
        issue_certificate(name, now()).map_err(|error| error.to_string())
    }

    async fn sleep_ms(&self, duration: Ms) {
        tokio::time::sleep(Duration::from_millis(duration.max(0) as u64)).await;
    }

    async fn changed(&self, name: &ClusterName, duration: Ms) {
        let mut announcements = self.announcements.subscribe();
        let mut wait = Duration::from_millis(duration.max(0) as u64);
        let last = self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        if last.is_some_and(|at| at.elapsed() < RECENT) {
            wait = wait.min(RECENT);
        }
        let announced = async {
            loop {
                match announcements.recv().await {
                    Ok(other) if other != *name => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    // the sender is this host, which is borrowed
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = tokio::time::timeout(wait, announced).await;
    }

    fn announce(&self, name: &ClusterName) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, at| at.elapsed() < RECENT);
        recent.insert(name.clone(), Instant::now());
        drop(recent);
        // an error says that nobody waits
        let _ = self.announcements.send(name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn name(digit: char) -> ClusterName {
        std::iter::repeat_n(digit, 32).collect::<String>().parse().expect("a name")
    }

    #[tokio::test]
    async fn a_waiter_hears_of_its_own_cluster_alone() {
        let host = Arc::new(Machine::default());
        let waiter = tokio::spawn({
            let host = host.clone();
            async move { host.changed(&name('a'), 3_600_000).await }
        });
        while host.announcements.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        host.announce(&name('b'));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        host.announce(&name('a'));
        waiter.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn an_announcement_just_before_the_wait_shortens_it() {
        let host = Machine::default();
        host.announce(&name('a'));
        let start = tokio::time::Instant::now();
        host.changed(&name('a'), 3_600_000).await;
        assert!(start.elapsed() <= RECENT);
    }
}
