//! The store on DynamoDB: the suite of every store, each property on a table of its own, and what only DynamoDB can show.
#![allow(clippy::unwrap_used)]

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate_aws_tests::inside::served::{Served, heartbeat};
use faregate_aws_tests::inside::{Inside, Options};
use faregate_aws_tests::ministack::{self, Ministack};
use faregate_aws_tests::table::create_table;
use faregate_aws_tests::wire::{Faults, Wire};
use faregate_core::model::{Heartbeat, Limits, Reason, ReasonCode, Record, Scope, Status};
use faregate_core::ports::{Accounts, Expect, StopRequest, Store, Touch, TransactError, Write};
use faregate_dynamodb::DynamoStore;
use faregate_keys::Use;
use faregate_tests::samples;
use faregate_tests::store_suite::{self, Running};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

fn emulator() -> &'static Ministack {
    static MINISTACK: OnceLock<Ministack> = OnceLock::new();
    MINISTACK.get_or_init(Ministack::start)
}

/// A new table, and a client for it.
async fn table() -> (Client, String) {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let table = format!("table-{}", TABLES.fetch_add(1, Ordering::Relaxed));
    let client = Client::new(&emulator().sdk_config().await);
    create_table(&client, &table).await;
    (client, table)
}

fn on_dynamodb(property: impl FnOnce(Arc<dyn Accounts>) -> Running) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, table) = table().await;
        property(Arc::new(DynamoStore::new(|| client, table))).await;
    });
}

faregate_tests::store_suite!(on_dynamodb);
faregate_tests::accounts_suite!(on_dynamodb);

#[tokio::test(flavor = "multi_thread")]
async fn broken_limits_count_with_what_was_kept() {
    let (client, table) = table().await;
    let open = || {
        let client = client.clone();
        Arc::new(DynamoStore::new(|| client, table.clone()))
    };
    store_suite::broken_limits_count_with_what_was_kept(open(), open()).await;
}

/// One table of items, good and bad, as a table of DynamoDB takes long to make.
#[tokio::test(flavor = "multi_thread")]
async fn limits_edited_by_hand_are_read_and_what_is_none_is_named() {
    let (client, table) = table().await;
    let of_store = client.clone();
    let store = DynamoStore::new(|| of_store, table.clone());
    let write = |scope: &str, name: &str, value: AttributeValue| {
        let put = client.put_item().table_name(&table).item("pk", AttributeValue::S("limits".into()));
        put.item("sk", AttributeValue::S(scope.into())).item(name, value).send()
    };
    let (text, number) = (|t: &str| AttributeValue::S(t.into()), |n: &str| AttributeValue::N(n.into()));
    write("default", "clusters", number("2")).await.unwrap();
    write("user:cores", "cores", number("2.5")).await.unwrap();
    write("user:whole", "cores", number("2")).await.unwrap();
    write("group:é", "memory", text("64 G")).await.unwrap();
    let images = AttributeValue::L(vec![text("a"), number("2")]);
    write("user:text", "clusters", text("2")).await.unwrap();
    write("user: blanks ", " clusters ", number("2")).await.unwrap();
    let put = client.put_item().table_name(&table).item("pk", text("limits")).item("sk", text("user:some"));
    let put = put.item("clusters", AttributeValue::Bool(true)).item("workers", text("3"));
    put.item("memory", AttributeValue::B(Blob::new([1]))).send().await.unwrap();
    write("user:choice", "allowed", AttributeValue::M([("image".to_owned(), images)].into())).await.unwrap();
    for (scope, name, value) in [
        ("user:binary", "frozen", AttributeValue::B(Blob::new([0xff]))),
        ("user:set", "clusters", AttributeValue::Ns(vec!["2".into()])),
        (
            "user:nested",
            "allowed",
            AttributeValue::M([("image".to_owned(), AttributeValue::Ss(vec!["a".into()]))].into()),
        ),
        ("user:half", "clusters", number("2.5")),
        ("user:unknown", "cluster", number("2")),
        ("users:a", "clusters", number("2")),
    ] {
        write(scope, name, value).await.unwrap();
    }
    let items = store.limits().await.unwrap();
    let scope = |text: &str| Scope::try_from(text.to_owned()).unwrap();
    let none = Limits::default();
    let allowed = BTreeMap::from([("image".to_owned(), vec!["a".into(), 2.into()])]);
    let types = "write text, a number, true or false, a list or a map";
    let problems = BTreeMap::from([
        ("user:binary", format!("`frozen` holds binary data: {types}")),
        ("user:half", "`clusters` cannot be 2.5: invalid type: floating point `2.5`, expected i64".into()),
        ("user:nested", format!("`allowed` holds a set: {types}")),
        ("user:set", format!("`clusters` holds a set: {types}")),
        (
            "user:some",
            format!(
                "`memory` holds binary data: {types}; `clusters` cannot be true: invalid type: boolean `true`, expected i64"
            ),
        ),
        ("user:unknown", "`cluster` is no limit; did you mean `clusters`?".into()),
        ("users:a", "`users:a` is neither `default` nor `group:<name>` nor `user:<name>`".into()),
    ]);
    let mut expected = BTreeMap::from([
        (scope("user:text"), Limits { clusters: Some(2), ..none.clone() }),
        (scope("user:blanks"), Limits { clusters: Some(2), ..none.clone() }),
        (scope("user:some"), Limits { workers: Some(3), ..none.clone() }),
        (scope("default"), Limits { clusters: Some(2), ..none.clone() }),
        (scope("user:cores"), Limits { cores: Some(2.5), ..none.clone() }),
        (scope("user:whole"), Limits { cores: Some(2.0), ..none.clone() }),
        (scope("group:é"), Limits { memory: Some(64 << 30), ..none.clone() }),
        (scope("user:choice"), Limits { allowed: Some(allowed), ..none.clone() }),
    ]);
    // of these nothing can be read: nothing new starts
    for user in ["user:binary", "user:half", "user:nested", "user:set", "user:unknown"] {
        expected.insert(scope(user), Limits { unreadable: Some(problems[user].clone()), ..none.clone() });
    }
    assert_eq!(items.in_force, expected);
    let broken: BTreeMap<&str, String> = items.broken.iter().map(|(sort, why)| (sort.as_str(), why.clone())).collect();
    assert_eq!(broken, problems);
    // kept, they are the same: nothing is written twice
    let kept = [store.keep_limits(&items).await.unwrap(), store.keep_limits(&items).await.unwrap()];
    assert_eq!(kept, [8, 0]);
}

/// Every try of a write meets a transaction at its item.
const CONFLICTS: Faults = Faults {
    seed: 1,
    conflicts: 100,
    lost_replies: 0,
    late_calls: 0,
    late_ms: 0,
    stale_reads: 0,
    lost_messages: 0,
    doubled_messages: 0,
    late_messages: 0,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_meets_transactions_at_every_try_says_contention() {
    let (client, table) = table().await;
    let wire = Wire::start(&emulator().url).await;
    let through_wire = Client::new(&ministack::sdk_config(&wire.url).await);
    let store = DynamoStore::new(|| through_wire, table.clone());
    let cluster = samples::cluster("alice", 1);
    let mut beating = Heartbeat::new(cluster.name.clone());
    beating.digest = Some("same".into());
    let request = StopRequest {
        name: cluster.name.clone(),
        user: None,
        target: Status::Stopped,
        reason: Reason::new(ReasonCode::UserStopped, "stopped"),
        now: 99,
    };
    for record in [Record::Cluster(Box::new(cluster.clone())), Record::Heartbeat(beating)] {
        store.transact(vec![Write::Put { record, expect: Expect::Absent }]).await.unwrap();
    }
    wire.set(CONFLICTS);
    assert_eq!(store.stop(&request).await, Err(TransactError::Contention));
    assert_eq!(store.touch(&cluster.name, "same", 5).await, Err(TransactError::Contention));
    let held = DynamoStore::new(|| client, table).cluster(&cluster.name).await.unwrap().unwrap();
    assert_eq!((held.version, held.value), (1, cluster.clone()));
    wire.set(Faults::default());
    assert!(matches!(store.stop(&request).await, Ok(Some((_, true)))));
    assert_eq!(store.touch(&cluster.name, "same", 5).await, Ok(Touch::Same { due_at: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_and_a_heartbeat_under_endless_contention_are_asked_to_try_again() {
    let inside = Inside::start(emulator(), Options { reconcilers: 0, ..Options::default() }).await;
    let served = Served::new(&inside);
    let name = served.create("alice").await;
    let token = inside.ring.token(&inside.ring.newest().id, Use::Cluster, &name).unwrap();
    inside.aws.set(CONFLICTS);
    let stop = served.call("DELETE", name.as_str()).basic("alice").send();
    let beat =
        served.call("POST", &format!("{name}/heartbeat")).token(&token).json(&heartbeat("10.0.0.1", 0, &[])).send();
    let (stop, beat) = tokio::join!(stop, beat);
    for answer in [stop, beat] {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(
            (answer.status, body.contains("is being worked on; try again")),
            (http::StatusCode::CONFLICT, true),
            "{body}"
        );
    }
    inside.aws.set(Faults::default());
    let stop = served.call("DELETE", name.as_str()).basic("alice").send().await;
    assert_eq!(stop.status, 204, "{stop:?}");
}
