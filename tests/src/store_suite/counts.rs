//! Counters.

use super::put;
use crate::samples;
use faregate_core::model::*;
use faregate_core::ports::*;
use std::sync::Arc;

fn user() -> Scope {
    Scope::User("alice".into())
}

fn count(delta: Counts, ceiling: Counts) -> Write {
    Write::Count { scope: user(), delta, ceiling, now: 5, pace: None }
}

fn clusters(n: i64) -> Counts {
    Counts::CLUSTER * n
}

async fn held(store: &dyn Store) -> Stored<Usage> {
    store.usage(&[user()]).await.unwrap().pop().unwrap()
}

pub async fn a_counter_goes_up_to_its_ceiling_and_down_to_zero(store: Arc<dyn Store>) {
    assert_eq!(held(&*store).await, Stored { value: Usage::none(user()), version: 0 });
    let ceiling = Counts { clusters: 2, ..Counts::UNBOUNDED };
    store.transact(vec![count(clusters(1), ceiling)]).await.unwrap();
    store.transact(vec![count(clusters(1), ceiling)]).await.unwrap();
    let Err(TransactError::Conflicts(conflicts)) = store.transact(vec![count(clusters(1), ceiling)]).await else {
        panic!("a third of two")
    };
    let usage = Record::Usage(Usage { counts: clusters(2), changed_at: 5, ..Usage::none(user()) });
    assert_eq!(conflicts, vec![Conflict { index: 0, held: Some(Stored { value: usage, version: 2 }) }]);
    store.transact(vec![count(clusters(-2), ceiling)]).await.unwrap();
    let below = store.transact(vec![count(clusters(-1), ceiling)]).await;
    assert!(matches!(below, Err(TransactError::Conflicts(_))), "{below:?}");
    assert_eq!(held(&*store).await.value.counts, Counts::default());
    // a first count above the ceiling leaves nothing behind
    let other = Scope::Group("g".into());
    let write = Write::Count { scope: other.clone(), delta: clusters(3), ceiling, now: 5, pace: None };
    let refused = store.transact(vec![write]).await;
    assert_eq!(refused, Err(TransactError::Conflicts(vec![Conflict { index: 0, held: None }])));
    assert_eq!(store.usage(&[other]).await.unwrap()[0].version, 0);
}

pub async fn a_ceiling_holds_only_for_what_is_raised(store: Arc<dyn Store>) {
    let five = Counts { clusters: 5, workers: 5, ..Counts::default() };
    store.transact(vec![count(five, Counts::UNBOUNDED)]).await.unwrap();
    // a limit lowered under what is in use: giving back is always fine, and so is what it does not speak of
    let lowered = Counts { clusters: 2, workers: 9, ..Counts::UNBOUNDED };
    store.transact(vec![count(clusters(-1), lowered)]).await.unwrap();
    let workers = Counts { workers: 4, ..Counts::default() };
    store.transact(vec![count(workers, lowered)]).await.unwrap();
    assert!(store.transact(vec![count(workers, lowered)]).await.is_err());
    assert_eq!(held(&*store).await.value.counts, Counts { clusters: 4, workers: 9, ..Counts::default() });
}

pub async fn racing_counts_never_pass_the_ceiling(store: Arc<dyn Store>) {
    let ceiling = Counts { clusters: 20, ..Counts::UNBOUNDED };
    let racers = (0..50).map(|_| async {
        loop {
            match store.transact(vec![count(clusters(1), ceiling)]).await {
                Err(TransactError::Contention) => {}
                outcome => return outcome.is_ok(),
            }
        }
    });
    let won = futures::future::join_all(racers).await.into_iter().filter(|won| *won).count();
    assert_eq!((won, held(&*store).await.value.counts), (20, clusters(20)));
}

pub async fn a_count_and_a_record_are_written_together_or_not_at_all(store: Arc<dyn Store>) {
    let ceiling = Counts { clusters: 1, ..Counts::UNBOUNDED };
    let create = |n: u64| {
        let record = Record::Cluster(Box::new(samples::cluster("alice", n)));
        vec![put(record, Expect::Absent), count(clusters(1), ceiling)]
    };
    store.transact(create(1)).await.unwrap();
    let Err(TransactError::Conflicts(conflicts)) = store.transact(create(2)).await else { panic!("a second of one") };
    assert_eq!(conflicts.iter().map(|c| c.index).collect::<Vec<_>>(), vec![1]);
    assert_eq!(store.cluster(&samples::name("alice", 2)).await.unwrap(), None);
    // the record's conflict undoes the count
    let again = vec![create(1).remove(0), count(clusters(-1), ceiling)];
    assert!(store.transact(again).await.is_err());
    assert_eq!(held(&*store).await.value.counts, clusters(1));
}

pub async fn a_recount_is_written_on_the_version_that_was_read(store: Arc<dyn Store>) {
    let usage = |n| Usage { counts: clusters(n), ..Usage::none(user()) };
    store.put_usage(&usage(3), 0).await.unwrap();
    assert!(matches!(store.put_usage(&usage(4), 0).await, Err(TransactError::Conflicts(_))));
    let read = held(&*store).await;
    store.transact(vec![count(clusters(1), Counts::UNBOUNDED)]).await.unwrap();
    assert!(matches!(store.put_usage(&usage(9), read.version).await, Err(TransactError::Conflicts(_))));
    store.put_usage(&usage(2), held(&*store).await.version).await.unwrap();
    assert_eq!(held(&*store).await.value.counts, clusters(2));
}

pub async fn a_counter_says_when_it_was_last_counted(store: Arc<dyn Store>) {
    let at =
        |now| vec![Write::Count { scope: user(), delta: clusters(1), ceiling: Counts::UNBOUNDED, now, pace: None }];
    store.transact(at(7)).await.unwrap();
    store.transact(at(9)).await.unwrap();
    let held = held(&*store).await;
    assert_eq!((held.value.changed_at, held.version), (9, 2));
    // a recount writes what it is told
    let recounted = Usage { counts: clusters(1), changed_at: 8, ..held.value };
    store.put_usage(&recounted, 2).await.unwrap();
    assert_eq!(self::held(&*store).await, Stored { value: recounted, version: 3 });
}

/// One more cluster, at this step of a pace.
fn paced(step: PaceStep) -> Write {
    Write::Count { scope: user(), delta: clusters(1), ceiling: Counts::UNBOUNDED, now: 5, pace: Some(step) }
}

pub async fn a_pace_is_kept_in_the_transaction_that_counts(store: Arc<dyn Store>) {
    let pace = Pace { burst: 3, interval_ms: 100 };
    let (mut paid_at, mut created) = (0, 0);
    while let Ok(step) = pace.step(paid_at, 1_000) {
        store.transact(vec![paced(step)]).await.unwrap();
        // the same step once more is refused, and says what is held
        let again = store.transact(vec![paced(step)]).await;
        paid_at = held(&*store).await.value.paid_at;
        if matches!(step, PaceStep::First { .. }) {
            let Err(TransactError::Conflicts(conflicts)) = again else { panic!("a second first: {again:?}") };
            let Some(Stored { value: Record::Usage(usage), .. }) = &conflicts[0].held else { panic!("{conflicts:?}") };
            assert_eq!((usage.paid_at, usage.counts), (1_100, clusters(1)));
        } else {
            created += usize::from(again.is_ok());
        }
        created += 1;
    }
    assert_eq!((created, paid_at, held(&*store).await.value.counts), (3, 1_300, clusters(3)));
    let late = PaceStep::Further { after: 1_000, until: 1_200, by: 100 };
    assert!(matches!(store.transact(vec![paced(late)]).await, Err(TransactError::Conflicts(_))));
    // what gives back keeps it, and so does a recount
    store.transact(vec![count(clusters(-3), Counts::UNBOUNDED)]).await.unwrap();
    let before = held(&*store).await;
    assert_eq!(before.value.paid_at, 1_300);
    store.put_usage(&before.value, before.version).await.unwrap();
    assert_eq!(held(&*store).await.value.paid_at, 1_300);
    // paid for, or of a clock that was set back
    store.transact(vec![paced(pace.step(1_300, 1_300).unwrap())]).await.unwrap();
    assert_eq!(held(&*store).await.value.paid_at, 1_400);
    store.transact(vec![paced(pace.step(1_400, 10).unwrap())]).await.unwrap();
    assert_eq!(held(&*store).await.value.paid_at, 110);
}

pub async fn racing_steps_of_a_pace_never_pass_the_burst(store: Arc<dyn Store>) {
    let pace = Pace { burst: 5, interval_ms: 100 };
    let racers = (0..20).map(|_| async {
        let mut paid_at = 0;
        loop {
            let Ok(step) = pace.step(paid_at, 1_000) else { return false };
            match store.transact(vec![paced(step)]).await {
                Ok(()) => return true,
                Err(TransactError::Contention) => {}
                Err(TransactError::Conflicts(conflicts)) => match &conflicts[0].held {
                    Some(Stored { value: Record::Usage(usage), .. }) => paid_at = usage.paid_at,
                    other => panic!("{other:?}"),
                },
                Err(TransactError::Failed(error)) => panic!("{error}"),
            }
        }
    });
    let won = futures::future::join_all(racers).await.into_iter().filter(|won| *won).count();
    assert_eq!((won, held(&*store).await.value.counts), (5, clusters(5)));
}
