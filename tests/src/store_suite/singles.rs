//! The single conditional writes, expiry, size.

use super::{write_new, write_on};
use crate::samples;
use faregate_core::model::*;
use faregate_core::ports::*;
use std::sync::Arc;

async fn heartbeat(store: &dyn Store, name: &ClusterName) -> Stored<Heartbeat> {
    store.children(name).await.unwrap().heartbeat.unwrap()
}

fn beating(name: &ClusterName) -> Heartbeat {
    Heartbeat {
        seen_at: Some(10),
        digest: Some("same".into()),
        content: Some(Content { count: 2, ..Content::default() }),
        due_at: Some(11),
        ..Heartbeat::new(name.clone())
    }
}

pub async fn a_touch_is_seen_and_changes_nothing_else(store: Arc<dyn Store>) {
    let name = samples::name("alice", 1);
    write_new(&*store, vec![Record::Heartbeat(beating(&name))]).await;
    assert_eq!(store.touch(&name, "same", 500).await.unwrap(), Touch::Same { due_at: Some(11) });
    let expected = Heartbeat { seen_at: Some(500), ..beating(&name) };
    let held = heartbeat(&*store, &name).await;
    assert_eq!(held, Stored { value: expected.clone(), version: 2 });
    // who read before the touch does not write over it
    assert!(write_on(&*store, Record::Heartbeat(beating(&name)), 1).await.is_err());
    let cleared = Heartbeat { due_at: None, ..expected };
    write_on(&*store, Record::Heartbeat(cleared), 2).await.unwrap();
    assert_eq!(store.touch(&name, "same", 600).await.unwrap(), Touch::Same { due_at: None });
    assert_eq!(heartbeat(&*store, &name).await.value.seen_at, Some(600));
}

pub async fn a_touch_of_other_content_or_of_a_stopping_cluster_writes_nothing(store: Arc<dyn Store>) {
    let name = samples::name("alice", 1);
    assert_eq!(store.touch(&name, "same", 5).await.unwrap(), Touch::Missing);
    let fresh = Heartbeat::new(name.clone());
    write_new(&*store, vec![Record::Heartbeat(fresh.clone())]).await;
    let held = Stored { value: fresh, version: 1 };
    assert_eq!(store.touch(&name, "same", 500).await.unwrap(), Touch::Differs(held));
    write_on(&*store, Record::Heartbeat(beating(&name)), 1).await.unwrap();
    let held = Stored { value: beating(&name), version: 2 };
    assert_eq!(store.touch(&name, "other", 500).await.unwrap(), Touch::Differs(held));
    let stopping = Heartbeat { accepting: false, ..beating(&name) };
    write_on(&*store, Record::Heartbeat(stopping.clone()), 2).await.unwrap();
    let held = Stored { value: stopping, version: 3 };
    assert_eq!(store.touch(&name, "same", 500).await.unwrap(), Touch::Differs(held.clone()));
    assert_eq!(heartbeat(&*store, &name).await, held);
}

pub async fn a_stop_is_made_once_and_by_its_owner(store: Arc<dyn Store>) {
    let cluster = samples::cluster("alice", 1);
    write_new(&*store, vec![Record::Cluster(Box::new(cluster.clone()))]).await;
    let request = |user: Option<&str>, message: &str| StopRequest {
        name: cluster.name.clone(),
        user: user.map(str::to_owned),
        target: Status::Stopped,
        reason: Reason::new(ReasonCode::UserStopped, message),
        now: 99,
    };
    assert_eq!(store.stop(&request(Some("bob"), "no")).await.unwrap(), None);
    assert_eq!(store.cluster(&cluster.name).await.unwrap().unwrap().version, 1);
    let mut expected = cluster.clone();
    expected.end(Status::Stopped, Reason::new(ReasonCode::UserStopped, "first"), 99);
    let stopped = Stored { value: expected, version: 2 };
    assert_eq!(store.stop(&request(Some("alice"), "first")).await.unwrap(), Some((stopped.clone(), true)));
    assert_eq!(store.stop(&request(None, "second")).await.unwrap(), Some((stopped.clone(), false)));
    assert_eq!(store.cluster(&cluster.name).await.unwrap(), Some(stopped));
    let missing = StopRequest { name: samples::name("alice", 2), ..request(None, "x") };
    assert_eq!(store.stop(&missing).await.unwrap(), None);
}

/// A store that forgets by itself, in its own time, says 0 and may keep what has expired for a while.
pub async fn what_has_expired_is_forgotten_and_nothing_else(store: Arc<dyn Store>) {
    let name = samples::name("alice", 1);
    let mut records = vec![Record::Cluster(Box::new(samples::cluster("alice", 1)))];
    for (id, expires_at) in [("old", Some(100)), ("young", Some(300)), ("kept", None)] {
        records.push(Record::Task(Task { expires_at, ..samples::task(&name, id) }));
    }
    write_new(&*store, records).await;
    let forgotten = store.forget_expired(200).await.unwrap();
    let left: Vec<String> =
        store.children(&name).await.unwrap().tasks.into_iter().map(|t| t.value.facts.id.0).collect();
    assert_eq!(left.len() + forgotten, 3);
    assert!(forgotten <= 1 && left.contains(&"young".to_owned()) && left.contains(&"kept".to_owned()));
    assert!(store.cluster(&name).await.unwrap().is_some());
}

pub async fn a_large_item_is_kept_whole(store: Arc<dyn Store>) {
    let name = samples::name("alice", 1);
    let room = store.item_limit() / 2;
    let active = (0..room / 40).map(|n| format!("w-{n:034}")).collect();
    let heartbeat = Heartbeat { content: Some(Content { active, ..Content::default() }), ..beating(&name) };
    write_new(&*store, vec![Record::Heartbeat(heartbeat.clone())]).await;
    assert_eq!(self::heartbeat(&*store, &name).await.value, heartbeat);
}
