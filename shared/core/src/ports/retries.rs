//! The one way in which a write is tried again that others were in the way of.

use super::Host;
use crate::model::Ms;

/// Tries of a write that may meet others at the same record: so many, with pauses of full jitter between them, each twice as long at most
/// as the one before.
///
/// ```ignore
/// let mut retries = Retries::new(host);
/// while retries.next().await {
///     // read, decide, write; `return` once it is written
/// }
/// ```
pub struct Retries<'a> {
    host: &'a dyn Host,
    begun: u32,
}

impl<'a> Retries<'a> {
    /// Tries in all; what is still in the way then is told to the caller.
    pub const MOST: u32 = 8;
    /// The first pause is shorter than this.
    const FIRST_MS: Ms = 20;
    /// How often the longest pause doubles: somebody waits for the answer.
    const DOUBLINGS: u32 = 5;

    /// None has begun.
    pub fn new(host: &'a dyn Host) -> Self {
        Retries { host, begun: 0 }
    }

    /// Whether there is another try; the first comes at once, the others after their pause.
    pub async fn next(&mut self) -> bool {
        if self.begun == Self::MOST {
            return false;
        }
        if self.begun > 0 {
            jitter(self.host, Self::FIRST_MS << (self.begun - 1).min(Self::DOUBLINGS)).await;
        }
        self.begun += 1;
        true
    }
}

/// Waits for a random time shorter than this.
pub async fn jitter(host: &dyn Host, most: Ms) {
    host.sleep_ms((host.random() % most.max(1) as u64) as Ms).await;
}
