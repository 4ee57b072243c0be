//! How much may be under way at once: requests by what they are for and by who sends them, and bytes that are not complete yet.
//!
//! Whoever comes from one address, or is one system user of this machine, has a part of each kind of places and never all of them; what
//! schedulers need is a kind of its own, which a flood of users' requests does not touch.

use crate::sparse::Sparse;
use crate::trust::{Origin, Sharer};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A sharer has this part of a kind of places.
const PART: usize = 4;

/// Of relays a larger one: before a load balancer all of one of its nodes are one sharer.
const RELAYS_PART: usize = 2;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Users' calls.
    Api,
    /// Those whose bodies are too long to be taken in before.
    Upload,
    /// Schedulers' heartbeats, and whatever else comes by their own port.
    Scheduler,
    /// Is the gateway there?
    Health,
    /// Pages and WebSockets of dashboards.
    Dashboard,
}

/// There is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Whoever asks has all of theirs.
    Yours,
    /// Nobody gave one back in time.
    All,
}

impl Full {
    /// Tells of it, and of how many went the same way.
    pub(crate) fn log(self, origin: &Origin) {
        static REFUSED: Sparse = Sparse::new();
        if let Some(refused) = REFUSED.one() {
            tracing::warn!(refused, peer = ?origin.sharer, full = ?self, "request refused: too many are under way");
        }
    }
}

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    api: Pool,
    upload: Pool,
    scheduler: Pool,
    health: Pool,
    dashboard: Pool,
    connections: Pool,
    scheduler_connections: Pool,
    relays: Pool,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _one_of_all: OwnedSemaphorePermit,
    _one_of_theirs: Share,
}

impl Places {
    /// For a process that may have this many descriptors: a request takes two of them.
    pub(crate) fn new(descriptors: u64) -> Self {
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let part = |of: usize, most: usize| Pool::new((descriptors / of).clamp(4, most));
        Places {
            api: part(8, 1024),
            upload: part(32, 128),
            scheduler: part(32, 256),
            health: part(128, 32),
            dashboard: part(8, 4096),
            connections: part(1, 65_536),
            scheduler_connections: part(1, 65_536),
            relays: Pool::of(descriptors / 8 * 3, RELAYS_PART),
        }
    }

    /// A place for a request of this kind, waited for at most `wait`.
    pub(crate) async fn take(&self, kind: Kind, sharer: Sharer, wait: Duration) -> Result<Place, Full> {
        let pool = match kind {
            Kind::Api => &self.api,
            Kind::Upload => &self.upload,
            Kind::Scheduler => &self.scheduler,
            Kind::Health => &self.health,
            Kind::Dashboard => &self.dashboard,
        };
        let theirs = pool.share(sharer).ok_or(Full::Yours)?;
        let all = timeout(wait, pool.all.clone().acquire_owned()).await;
        match all {
            Ok(Ok(one)) => Ok(Place { _one_of_all: one, _one_of_theirs: theirs }),
            _ => Err(Full::All),
        }
    }

    /// A place for a connection that is no relay (yet); none when its sharer has all of theirs. Those of schedulers' own port are
    /// counted apart.
    pub(crate) fn connect(&self, sharer: Sharer, of_schedulers: bool) -> Option<Share> {
        if of_schedulers { self.scheduler_connections.share(sharer) } else { self.connections.share(sharer) }
    }

    /// A place for a relay, which takes two descriptors for as long as it lasts: of them all there are never so many that no other
    /// connection can come in.
    pub(crate) fn relay(&self, sharer: Sharer) -> Result<Place, Full> {
        let theirs = self.relays.share(sharer).ok_or(Full::Yours)?;
        let one = self.relays.all.clone().try_acquire_owned().map_err(|_| Full::All)?;
        Ok(Place { _one_of_all: one, _one_of_theirs: theirs })
    }
}

#[derive(Debug)]
struct Pool {
    all: Arc<Semaphore>,
    each: usize,
    taken: Arc<Taken>,
}

type Taken = Mutex<HashMap<Sharer, usize>>;

/// One of what a sharer may have, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    sharer: Sharer,
    taken: Arc<Taken>,
}

impl Pool {
    fn new(size: usize) -> Self {
        Pool::of(size, PART)
    }

    /// Each sharer has this part of it.
    fn of(size: usize, part: usize) -> Self {
        let size = size.min(Semaphore::MAX_PERMITS);
        Pool { all: Arc::new(Semaphore::new(size)), each: (size / part).max(2), taken: Arc::default() }
    }

    fn share(&self, sharer: Sharer) -> Option<Share> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(sharer).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share { sharer, taken: self.taken.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(self.sharer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Bytes of requests that are not complete yet, for all connections together.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// What is held of a [`Budget`].
#[derive(Debug, Default)]
pub(crate) struct HeldBytes {
    pages: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    const PAGE: usize = 4096;

    pub(crate) fn new(bytes: usize) -> Self {
        Budget(Arc::new(Semaphore::new(bytes / Self::PAGE)))
    }

    /// Makes `held` stand for at least `bytes`. False when there is no room for them.
    pub(crate) fn hold(&self, held: &mut HeldBytes, bytes: usize) -> bool {
        let more = bytes.div_ceil(Self::PAGE).saturating_sub(held.pages);
        if more == 0 {
            return true;
        }
        let Ok(permit) = self.0.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX)) else {
            return false;
        };
        match &mut held.permit {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        held.pages += more;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test]
    async fn one_sharer_has_a_part_and_the_others_have_theirs() {
        let places = Places::new(1024);
        let mut taken = vec![];
        for user in 0..3 {
            for _ in 0..32 {
                taken.push(places.take(Kind::Api, Sharer::User(user), NOW).await.unwrap());
            }
            assert_eq!(places.take(Kind::Api, Sharer::User(user), NOW).await.unwrap_err(), Full::Yours);
        }
        assert!(places.take(Kind::Scheduler, Sharer::User(0), NOW).await.is_ok(), "schedulers have their own");
        assert!(places.take(Kind::Health, Sharer::User(0), NOW).await.is_ok());
        for _ in 0..32 {
            taken.push(places.take(Kind::Api, Sharer::User(3), NOW).await.unwrap());
        }
        assert_eq!(places.take(Kind::Api, Sharer::User(4), NOW).await.unwrap_err(), Full::All);
        taken.pop();
        assert!(places.take(Kind::Api, Sharer::User(4), NOW).await.is_ok());
        drop(taken);
        assert!(places.api.taken.lock().unwrap().is_empty(), "nobody is remembered who has none");
    }

    #[tokio::test]
    async fn nobody_takes_all_relays_and_relays_do_not_take_all_descriptors() {
        let places = Places::new(1024);
        let of = |user| std::iter::from_fn(|| places.relay(Sharer::User(user)).ok()).collect::<Vec<_>>();
        let first = of(1);
        assert_eq!((first.len(), places.relay(Sharer::User(1)).unwrap_err()), (192, Full::Yours));
        let (second, third) = (of(2), places.relay(Sharer::User(3)));
        assert_eq!((second.len(), third.unwrap_err()), (192, Full::All), "two descriptors each, of 1024");
        drop(first);
        assert!(places.relay(Sharer::User(3)).is_ok());
        assert!(Places::new(u64::MAX).relay(Sharer::User(0)).is_ok());
    }

    #[test]
    fn bytes_are_held_by_whole_pages_and_given_back_together() {
        let budget = Budget::new(16 * 4096);
        let (mut first, mut second) = (HeldBytes::default(), HeldBytes::default());
        assert!(budget.hold(&mut first, 1) && budget.hold(&mut first, 4096) && budget.hold(&mut first, 10 * 4096));
        assert!(!budget.hold(&mut second, 7 * 4096));
        assert!(budget.hold(&mut second, 6 * 4096));
        drop(first);
        assert!(budget.hold(&mut second, 16 * 4096));
    }
}
