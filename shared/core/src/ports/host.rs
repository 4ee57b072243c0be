//! Clock, randomness, and what needs randomness.

use crate::model::{Certificate, ClusterName, Ms};
use async_trait::async_trait;

/// The machine the shells run on. The world of tests has a virtual one.
#[async_trait]
pub trait Host: Send + Sync {
    /// Now, in milliseconds since the Unix epoch.
    fn now(&self) -> Ms;
    /// Milliseconds since some moment, by a clock that nobody sets and that goes on while the machine sleeps: for durations.
    fn uptime(&self) -> Ms {
        self.now()
    }
    /// Since when nobody has set the clock of [`Host::now`], and our own service is there; 0 where that is not watched.
    fn steady_since(&self) -> Ms {
        0
    }
    /// 64 random bits.
    fn random(&self) -> u64;
    /// Twelve random bytes, never the same twice.
    fn nonce(&self) -> [u8; 12];
    /// A certificate for a cluster.
    fn certificate(&self, name: &ClusterName) -> Result<Certificate, String>;
    /// Waits.
    async fn sleep_ms(&self, duration: Ms);
    /// Waits until something may have changed about a cluster, `duration` at most.
    async fn changed(&self, name: &ClusterName, duration: Ms);
    /// Says that something has changed about a cluster, to those who wait in this process.
    fn announce(&self, name: &ClusterName);
}
