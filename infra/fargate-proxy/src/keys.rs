//! The key ring, out of its secret.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use faregate_keys::{KeyRing, KeyRingError};
use faregate_proxy::MemoryKeys;
use std::time::Duration;
use tokio::time::sleep;

/// The secret is read again so often: a new key makes tokens only when every proxy has it.
const REFRESH: Duration = Duration::from_secs(180);
/// Between two tries to read it for the first time: from this, doubled after each,
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The secret cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each says what failed
pub enum SecretError {
    #[error("GetSecretValue: {0}")]
    Read(String),
    #[error("the secret holds bytes, not text")]
    Binary,
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

/// Reads the secret once.
pub async fn read(client: &Client, secret: &str) -> Result<KeyRing, SecretError> {
    let answer = client.get_secret_value().secret_id(secret).send().await;
    let answer = answer.map_err(|e| SecretError::Read(DisplayErrorContext(e).to_string()))?;
    Ok(KeyRing::from_secret(answer.secret_string().ok_or(SecretError::Binary)?)?)
}

/// Reads until there is a ring.
pub async fn first(read: impl AsyncFn() -> Result<KeyRing, SecretError>) -> KeyRing {
    let mut pause = FIRST_PAUSE;
    loop {
        match read().await {
            Ok(ring) => return ring,
            Err(error) => tracing::error!(%error, again_in = ?pause, "key ring not readable"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads for ever, and puts each new ring in place of the last. While it cannot be read, the last one stays.
pub async fn refresh(keys: &MemoryKeys, read: impl AsyncFn() -> Result<KeyRing, SecretError>) {
    loop {
        sleep(REFRESH).await;
        match read().await {
            Ok(ring) if ring == *keys.get() => {}
            Ok(ring) => {
                tracing::info!(newest = ring.newest().id, "key ring changed");
                keys.replace(ring);
            }
            Err(error) => tracing::warn!(%error, "key ring not readable; the last one stays in use"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::{Instant, timeout};

    fn ring(n: u8) -> KeyRing {
        KeyRing::from_random(&[n; 64])
    }

    fn away() -> SecretError {
        SecretError::Read("away".into())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_ring_is_waited_for_with_growing_pauses() {
        let (tries, began) = (Cell::new(0), Instant::now());
        let read = async || {
            tries.set(tries.get() + 1);
            if tries.get() < 10 { Err(away()) } else { Ok(ring(1)) }
        };
        assert_eq!(first(read).await, ring(1));
        // 0.5 + 1 + 2 + 4 + 8 + 16 + 3 × 30
        assert_eq!(began.elapsed().as_millis(), 121_500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotated_ring_is_taken_and_a_bad_one_is_not() {
        let keys = MemoryKeys::new(ring(1));
        let reads = Cell::new(0);
        let read = async || {
            reads.set(reads.get() + 1);
            match reads.get() {
                1 => Ok(ring(2)),
                2 => Err(away()),
                _ => Err(SecretError::Keys(KeyRing::from_seed("short").unwrap_err())),
            }
        };
        assert!(timeout(REFRESH * 4 + REFRESH / 2, refresh(&keys, read)).await.is_err());
        assert_eq!((reads.get(), &*keys.get()), (4, &ring(2)));
    }
}
