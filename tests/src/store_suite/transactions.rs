//! Versions, conditions, atomicity.

use super::{put, write_new, write_on};
use crate::samples;
use faregate_core::model::*;
use faregate_core::ports::*;
use std::sync::Arc;

fn boxed(cluster: &Cluster) -> Record {
    Record::Cluster(Box::new(cluster.clone()))
}

/// Every kind of record, with unicode in it.
pub async fn a_record_is_read_as_it_was_written(store: Arc<dyn Store>) {
    let mut cluster = samples::cluster("ålice/ü\u{1F600} x", 1);
    cluster.options.insert("ключ".into(), serde_json::json!({"a": [1, 2.5, null]}));
    cluster.reason = Some(Reason::new(ReasonCode::IdleTimeout, "idle").with("idle_ms", -1));
    let name = cluster.name.clone();
    let mut heartbeat = Heartbeat::new(name.clone());
    heartbeat.seen_at = Some(5);
    heartbeat.digest = Some("d".into());
    heartbeat.content = Some(Content { count: 3, active: ["w-a".to_owned()].into(), ..Content::default() });
    heartbeat.due_at = Some(6);
    let (launch, task) = (samples::launch(&name, 1), samples::task(&name, "t-1"));
    let records = vec![
        boxed(&cluster),
        Record::Heartbeat(heartbeat.clone()),
        Record::Launch(launch.clone()),
        Record::Task(task.clone()),
    ];
    write_new(&*store, records).await;
    assert_eq!(store.cluster(&name).await.unwrap(), Some(Stored { value: cluster, version: 1 }));
    let children = store.children(&name).await.unwrap();
    assert_eq!(children.heartbeat, Some(Stored { value: heartbeat, version: 1 }));
    assert_eq!(children.launches, vec![Stored { value: launch, version: 1 }]);
    assert_eq!(children.tasks, vec![Stored { value: task.clone(), version: 1 }]);
    let id = task.facts.id.clone();
    assert_eq!(store.task(&name, &id).await.unwrap(), Some(Stored { value: task, version: 1 }));
    assert_eq!(store.task(&name, &TaskId("other".into())).await.unwrap(), None);
    assert_eq!(store.cluster(&samples::name("bob", 1)).await.unwrap(), None);
}

pub async fn a_write_on_an_old_version_is_refused_and_says_what_is_held(store: Arc<dyn Store>) {
    let mut cluster = samples::cluster("alice", 1);
    write_new(&*store, vec![boxed(&cluster)]).await;
    cluster.count = 2;
    write_on(&*store, boxed(&cluster), 1).await.unwrap();
    let late = samples::cluster("alice", 1);
    let Err(TransactError::Conflicts(conflicts)) = write_on(&*store, boxed(&late), 1).await else {
        panic!("a write on an old version was taken")
    };
    assert_eq!(conflicts, vec![Conflict { index: 0, held: Some(Stored { value: boxed(&cluster), version: 2 }) }]);
    // on what does not exist, any version is wrong
    let other = samples::cluster("alice", 2);
    let error = write_on(&*store, boxed(&other), 1).await.unwrap_err();
    assert_eq!(error, TransactError::Conflicts(vec![Conflict { index: 0, held: None }]));
    assert_eq!(store.cluster(&other.name).await.unwrap(), None);
}

pub async fn an_item_that_exists_is_not_written_as_new(store: Arc<dyn Store>) {
    let cluster = samples::cluster("alice", 1);
    write_new(&*store, vec![boxed(&cluster)]).await;
    let again = store.transact(vec![put(boxed(&samples::cluster("alice", 1)), Expect::Absent)]).await;
    assert!(matches!(&again, Err(TransactError::Conflicts(c)) if c.len() == 1 && c[0].held.is_some()), "{again:?}");
}

pub async fn a_transaction_names_every_item_that_failed_and_writes_none(store: Arc<dyn Store>) {
    let name = samples::name("alice", 1);
    let task = |id: &str| Record::Task(samples::task(&name, id));
    write_new(&*store, vec![task("a"), task("b")]).await;
    let writes = vec![
        put(task("new"), Expect::Absent),
        put(task("a"), Expect::Version(7)),
        put(Record::Launch(samples::launch(&name, 1)), Expect::Absent),
        put(task("b"), Expect::Absent),
        put(task("missing"), Expect::Version(1)),
    ];
    let Err(TransactError::Conflicts(conflicts)) = store.transact(writes).await else { panic!("it was taken") };
    let failed: Vec<(usize, Option<Version>)> =
        conflicts.iter().map(|c| (c.index, c.held.as_ref().map(|h| h.version))).collect();
    assert_eq!(failed, vec![(1, Some(1)), (3, Some(1)), (4, None)]);
    let children = store.children(&name).await.unwrap();
    assert_eq!((children.tasks.len(), children.launches.len()), (2, 0));
}

pub async fn a_transaction_has_one_to_a_hundred_items_each_once(store: Arc<dyn Store>) {
    let name = samples::name("alice", 1);
    let tasks = |n: usize| -> Vec<Write> {
        (0..n).map(|i| put(Record::Task(samples::task(&name, &format!("t{i}"))), Expect::Absent)).collect()
    };
    for wrong in [tasks(0), tasks(101), [tasks(1), tasks(1)].concat()] {
        let n = wrong.len();
        let refused = store.transact(wrong).await;
        assert!(matches!(refused, Err(TransactError::Failed(_))), "{n} items: {refused:?}");
    }
    assert_eq!(store.children(&name).await.unwrap().tasks.len(), 0);
    store.transact(tasks(100)).await.unwrap();
    assert_eq!(store.children(&name).await.unwrap().tasks.len(), 100);
}

pub async fn of_racing_writes_on_one_version_exactly_one_wins(store: Arc<dyn Store>) {
    let cluster = samples::cluster("alice", 1);
    write_new(&*store, vec![boxed(&cluster)]).await;
    for version in 1..=5 {
        let racers = (0..10).map(|n| {
            let mut cluster = cluster.clone();
            cluster.count = n;
            write_on(&*store, boxed(&cluster), version)
        });
        let won = futures::future::join_all(racers).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1);
        assert_eq!(store.cluster(&cluster.name).await.unwrap().unwrap().version, version + 1);
    }
}
