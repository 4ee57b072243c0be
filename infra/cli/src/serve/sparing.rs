//! One log line for many: trouble that lasts is said when it begins, and from time to time.

use std::time::Duration;
use tokio::time::Instant;

/// Between two lines about the same trouble.
const PAUSE: Duration = Duration::from_secs(10);

/// When the last line was written.
#[derive(Debug, Default)]
pub struct Sparing(Option<Instant>);

impl Sparing {
    /// True when a line may be written now.
    pub fn may_say(&mut self) -> bool {
        let may = self.0.is_none_or(|said| said.elapsed() >= PAUSE);
        if may {
            self.0 = Some(Instant::now());
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lasting_trouble_is_said_at_once_and_then_every_ten_seconds() {
        let (mut sparing, mut lines) = (Sparing::default(), 0);
        for _ in 0..250 {
            lines += usize::from(sparing.may_say());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(lines, 3);
    }
}
