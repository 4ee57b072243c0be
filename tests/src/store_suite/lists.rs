//! Lists, pages, the index of the active.

use super::{write_new, write_on};
use crate::samples;
use faregate_core::model::*;
use faregate_core::ports::*;
use std::sync::Arc;

fn boxed(cluster: Cluster) -> Record {
    Record::Cluster(Box::new(cluster))
}

pub async fn a_users_clusters_are_listed_oldest_first_page_by_page(store: Arc<dyn Store>) {
    let mut records: Vec<Record> = (0..25).rev().map(|n| boxed(samples::cluster("alice", n))).collect();
    records.push(boxed(samples::cluster("bob", 3)));
    // what else lies in a cluster's own partition is no cluster
    records.push(Record::Task(samples::task(&samples::name("alice", 1), "t")));
    write_new(&*store, records).await;
    let user = samples::ring().user_key("alice");
    let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.clusters(&user, cursor.as_deref(), 10).await.unwrap();
        assert!(page.items.len() <= 10);
        names.extend(page.items.into_iter().map(|c| c.value.name.clone()));
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() || pages > 10 {
            break;
        }
    }
    assert_eq!(names, (0..25).map(|n| samples::name("alice", n)).collect::<Vec<_>>());
    let nobody = store.clusters(&samples::ring().user_key("carol"), None, 10).await.unwrap();
    assert_eq!((nobody.items.len(), nobody.cursor), (0, None));
}

pub async fn a_clusters_children_are_read_whole(store: Arc<dyn Store>) {
    let (name, other) = (samples::name("alice", 1), samples::name("alice", 2));
    let mut records: Vec<Record> = (0..300).map(|n| Record::Task(samples::task(&name, &format!("t{n:03}")))).collect();
    records.extend((1..=40).map(|n| Record::Launch(samples::launch(&name, n))));
    records.push(Record::Heartbeat(Heartbeat::new(name.clone())));
    records.push(Record::Task(samples::task(&other, "x")));
    write_new(&*store, records).await;
    let children = store.children(&name).await.unwrap();
    assert_eq!((children.tasks.len(), children.launches.len()), (300, 40));
    assert!(children.heartbeat.is_some());
    assert!(children.launches.iter().map(|l| &l.value.id).is_sorted());
    assert!(children.tasks.iter().all(|t| t.value.cluster == name));
}

/// The index may lag: the property waits for it.
pub async fn the_index_holds_what_is_active_and_no_secret(store: Arc<dyn Store>) {
    write_new(&*store, (0..7).map(|n| boxed(samples::cluster("alice", n))).collect()).await;
    let mut ended = samples::cluster("alice", 3);
    ended.active = false;
    ended.status = Status::Stopped;
    write_on(&*store, boxed(ended), 1).await.unwrap();
    let mut due = samples::cluster("alice", 4);
    due.due_at = Some(77);
    write_on(&*store, boxed(due), 1).await.unwrap();
    let expected: Vec<ClusterName> = [0, 1, 2, 4, 5, 6].map(|n| samples::name("alice", n)).into();
    for _ in 0..10_000 {
        let rows = all_active(&*store).await;
        let mut names: Vec<ClusterName> = rows.iter().map(|r| r.cluster.name.clone()).collect();
        names.sort();
        let fresh = rows.iter().any(|r| r.cluster.due_at == Some(77) && r.version == 2);
        if names == expected && fresh {
            for row in rows {
                assert_eq!((row.cluster.tls_cert.as_str(), row.cluster.tls_key.data.as_str()), ("", ""));
            }
            return;
        }
    }
    panic!("the index never showed what is active");
}

async fn all_active(store: &dyn Store) -> Vec<ActiveRow> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.active(cursor.as_deref(), 2).await.unwrap();
        assert!(page.items.len() <= 2);
        rows.extend(page.items);
        cursor = page.cursor;
        if cursor.is_none() {
            return rows;
        }
    }
}

pub async fn a_cursor_of_nobody_is_an_error(store: Arc<dyn Store>) {
    write_new(&*store, vec![boxed(samples::cluster("alice", 1))]).await;
    let user = samples::ring().user_key("alice");
    assert!(store.clusters(&user, Some("'; DROP TABLE items"), 10).await.is_err());
    assert!(store.active(Some("nonsense"), 10).await.is_err());
}

pub async fn heartbeats_are_read_in_the_order_asked(store: Arc<dyn Store>) {
    let names: Vec<ClusterName> = (0..3).map(|n| samples::name("alice", n)).collect();
    for n in [0, 2] {
        write_new(&*store, vec![Record::Heartbeat(Heartbeat::new(names[n].clone()))]).await;
    }
    let asked = [names[2].clone(), names[1].clone(), names[0].clone()];
    let found = store.heartbeats(&asked).await.unwrap();
    let found: Vec<Option<ClusterName>> = found.into_iter().map(|h| h.map(|h| h.value.cluster)).collect();
    assert_eq!(found, vec![Some(names[2].clone()), None, Some(names[0].clone())]);
    assert_eq!(store.heartbeats(&[]).await.unwrap(), vec![]);
}
