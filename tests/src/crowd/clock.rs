//! This machine's clock, which can be put forward.

use async_trait::async_trait;
use faregate_core::model::{Certificate, ClusterName, Ms};
use faregate_core::ports::Host;
use faregate_machine::Machine;
use std::sync::atomic::{AtomicI64, Ordering};

/// The machine, some time later.
#[derive(Default)]
pub struct LaterClock {
    machine: Machine,
    later_ms: AtomicI64,
}

impl LaterClock {
    /// Puts it forward.
    pub fn advance(&self, duration: Ms) {
        self.later_ms.fetch_add(duration, Ordering::Relaxed);
    }
}

#[async_trait]
impl Host for LaterClock {
    fn now(&self) -> Ms {
        self.machine.now() + self.later_ms.load(Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.machine.random()
    }

    fn nonce(&self) -> [u8; 12] {
        self.machine.nonce()
    }

    fn certificate(&self, name: &ClusterName) -> Result<Certificate, String> {
        self.machine.certificate(name)
    }

    async fn sleep_ms(&self, duration: Ms) {
        self.machine.sleep_ms(duration).await;
    }

    async fn changed(&self, name: &ClusterName, duration: Ms) {
        self.machine.changed(name, duration).await;
    }

    fn announce(&self, name: &ClusterName) {
        self.machine.announce(name);
    }
}
