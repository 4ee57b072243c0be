//! A clock that a story moves.

use async_trait::async_trait;
use faregate_core::model::{Certificate, ClusterName, Ms};
use faregate_core::ports::Host;
use faregate_keys::issue_certificate;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Time passes only when somebody waits for it, or when a story says so.
pub struct TestHost {
    now: AtomicI64,
    drawn: AtomicU64,
    changed: Notify,
    /// While set, those who wait for a change wait for ever: no time passes by waiting.
    pub patient: AtomicBool,
}

impl Default for TestHost {
    fn default() -> Self {
        TestHost {
            now: AtomicI64::new(1_800_000_000_000),
            drawn: AtomicU64::new(0),
            changed: Notify::new(),
            patient: AtomicBool::new(false),
        }
    }
}

impl TestHost {
    /// Lets milliseconds pass.
    pub fn pass(&self, duration: Ms) {
        self.now.fetch_add(duration, Ordering::SeqCst);
    }
}

#[async_trait]
impl Host for TestHost {
    fn now(&self) -> Ms {
        self.now.load(Ordering::SeqCst)
    }

    fn random(&self) -> u64 {
        // splitmix64: the same in every run, never the same twice
        let mut z = self.drawn.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.random().to_le_bytes());
        nonce
    }

    fn certificate(&self, name: &ClusterName) -> Result<Certificate, String> {
        issue_certificate(name, self.now()).map_err(|error| error.to_string())
    }

    async fn sleep_ms(&self, duration: Ms) {
        self.pass(duration);
        tokio::task::yield_now().await;
    }

    async fn changed(&self, _: &ClusterName, duration: Ms) {
        if self.patient.load(Ordering::SeqCst) {
            // an announcement may come between the look and the wait, as it may in a real host
            let _ = tokio::time::timeout(Duration::from_millis(20), self.changed.notified()).await;
        } else {
            self.sleep_ms(duration).await;
        }
    }

    fn announce(&self, _: &ClusterName) {
        self.changed.notify_waiters();
    }
}
