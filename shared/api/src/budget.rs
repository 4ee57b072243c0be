//! One budget for the bytes of all bodies that are on their way or being worked on. Small ones have a part of their own, which no
//! large one takes: nearly all heartbeats and users' requests are small.

use super::error::ApiError;
use axum::body::Bytes;
use axum::http::StatusCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A body up to this many bytes is small.
pub const SMALL: usize = 256 << 10;
/// Bytes of small bodies, and of others, at once.
const SMALL_BYTES: usize = 32 << 20;
const LARGE_BYTES: usize = 128 << 20;
/// A body counts in whole pages of so many bytes.
const PAGE: usize = 4096;
/// How long a body waits until others have gone.
const WAIT: Duration = Duration::from_secs(20);

static BUDGET: LazyLock<Budget> = LazyLock::new(|| Budget::new(SMALL_BYTES, LARGE_BYTES));

struct Budget {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A place for a body of a certain length.
#[derive(Debug)]
pub struct Place(Option<OwnedSemaphorePermit>);

impl Place {
    /// The bytes, which hold the place as long as they are there.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        match self {
            Place(None) => bytes,
            place => Bytes::from_owner(Held { bytes, _place: place }),
        }
    }
}

struct Held {
    bytes: Bytes,
    _place: Place,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Budget {
    fn new(small: usize, large: usize) -> Self {
        let pool = |bytes: usize| Arc::new(Semaphore::new(bytes / PAGE));
        Budget { small: pool(small), large: pool(large) }
    }

    /// All of it at once, or not at all: bodies that each waited for a little more could wait for each other.
    async fn take(&self, bytes: usize, wait: Duration) -> Result<Place, ApiError> {
        if bytes == 0 {
            return Ok(Place(None));
        }
        let pool = if bytes <= SMALL { &self.small } else { &self.large };
        let pages = u32::try_from(bytes.div_ceil(PAGE)).unwrap_or(u32::MAX);
        match timeout(wait, pool.clone().acquire_many_owned(pages)).await {
            Ok(Ok(permit)) => Ok(Place(Some(permit))),
            _ => {
                tracing::warn!(bytes, "request refused: too many large requests are incomplete at once");
                let message = "too many large requests are on their way at once; try again";
                Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message))
            }
        }
    }
}

/// A place for so many bytes, waited for; 503 when there is none in time.
pub async fn take(bytes: usize) -> Result<Place, ApiError> {
    BUDGET.take(bytes, WAIT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_bodies_share_and_small_ones_have_their_own_part() {
        let budget = Budget::new(1 << 20, 32 << 20);
        let large = async || budget.take(16 << 20, Duration::ZERO).await;
        let (one, two) = (large().await.unwrap(), large().await.unwrap());
        assert_eq!(large().await.unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        let small = budget.take(SMALL, Duration::ZERO).await.unwrap();
        let bytes = one.hold(Bytes::from_static(b"a"));
        let copy = bytes.clone();
        drop((bytes, small));
        assert!(large().await.is_err(), "what was read is still being worked on");
        drop(copy);
        assert!(large().await.is_ok());
        drop(two);
    }
}
