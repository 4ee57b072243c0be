//! What every queue of wakes must do: a wake that was taken arrives, at least once and not before its time.
//!
//! [`wakes_suite!`](crate::wakes_suite!) makes a test of each function, over a [`Fixture`] of yours.

use crate::samples;
use async_trait::async_trait;
use faregate_core::ports::{Wake, Wakes};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A queue, and its other end.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The queue.
    fn wakes(&self) -> &dyn Wakes;
    /// Waits for the next wake, takes it, and is done with it.
    async fn next(&self) -> Wake;
}

const PATIENCE: Duration = Duration::from_secs(120);

async fn next(fixture: &dyn Fixture) -> Wake {
    tokio::time::timeout(PATIENCE, fixture.next()).await.expect("a wake never arrives")
}

/// Of clusters, and of the sweep with its cursor, whatever is in it.
pub async fn what_is_sent_arrives_as_it_was(fixture: &dyn Fixture) {
    let cursor = Some("records:3:äöü \"quoted\"".to_owned());
    for wake in
        [Wake::Cluster(samples::name("alice", 1)), Wake::OrphanScan { cursor: None }, Wake::OrphanScan { cursor }]
    {
        fixture.wakes().wake(wake.clone(), 0).await.unwrap();
        assert_eq!(next(fixture).await, wake);
    }
}

/// In any order, and perhaps more than once.
pub async fn of_many_users_all_arrive(fixture: &dyn Fixture) {
    let users = (0..30).map(|n| samples::name(&format!("user-{n}"), 1));
    let sent: HashSet<Wake> = users.map(Wake::Cluster).collect();
    for wake in &sent {
        fixture.wakes().wake(wake.clone(), 0).await.unwrap();
    }
    let mut arrived = HashSet::new();
    while arrived != sent {
        let wake = next(fixture).await;
        assert!(sent.contains(&wake), "{wake:?} was not sent");
        arrived.insert(wake);
    }
}

/// And does not keep others from arriving.
pub async fn a_delayed_wake_is_not_early(fixture: &dyn Fixture) {
    let (later, now) = (Wake::Cluster(samples::name("alice", 1)), Wake::Cluster(samples::name("alice", 2)));
    let begun = Instant::now();
    fixture.wakes().wake(later.clone(), 1_500).await.unwrap();
    fixture.wakes().wake(now.clone(), 0).await.unwrap();
    assert_eq!(next(fixture).await, now);
    assert_eq!(next(fixture).await, later);
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "after {:?}", begun.elapsed());
}

/// One test for each function of the suite. `$fixture` makes a [`Fixture`] of its own for each, and may await.
#[macro_export]
macro_rules! wakes_suite {
    ($fixture:expr) => {
        $crate::wakes_suite!(@tests $fixture;
            what_is_sent_arrives_as_it_was,
            of_many_users_all_arrive,
            a_delayed_wake_is_not_early,
        );
    };
    (@tests $fixture:expr; $($name:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let fixture = $fixture;
            $crate::wakes_suite::$name(&fixture).await;
        })*
    };
}
