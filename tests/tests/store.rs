//! The embedded store: the suite of every store, and what only a file can show.
#![allow(clippy::unwrap_used)]

use faregate_core::model::{Record, Stored};
use faregate_core::ports::{Accounts, Expect, Store, Write};
use faregate_sqlite::{OpenError, SqliteStore};
use faregate_tests::samples;
use faregate_tests::store_suite::Running;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

fn on_sqlite(property: impl FnOnce(Arc<dyn Accounts>) -> Running) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("store.db")).unwrap();
    block_on(property(Arc::new(store)));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

faregate_tests::store_suite!(on_sqlite);
faregate_tests::accounts_suite!(on_sqlite);

#[test]
fn its_files_are_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    block_on(write_task(&store, 0));
    let mut files = 0;
    for entry in dir.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        files += 1;
    }
    assert_eq!(files, 3, "the file, its log, its shared memory");
}

#[test]
fn a_file_of_a_newer_program_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    drop(SqliteStore::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(&path).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
}

#[test]
fn another_process_on_the_same_file_is_noticed_and_its_write_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let (ours, theirs) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    block_on(async {
        write_task(&ours, 1).await;
        let changed = ours.foreign_change();
        tokio::pin!(changed);
        tokio::select! {
            biased;
            _ = &mut changed => panic!("our own write is no foreign change"),
            () = tokio::time::sleep(std::time::Duration::from_millis(600)) => {}
        }
        write_task(&theirs, 2).await;
        changed.await.unwrap();
        assert_eq!(ours.children(&samples::name("alice", 1)).await.unwrap().tasks.len(), 2);
    });
}

#[test]
fn broken_limits_count_with_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Arc::new(SqliteStore::open(&dir.path().join("store.db")).unwrap());
    block_on(faregate_tests::store_suite::broken_limits_count_with_what_was_kept(open(), open()));
}

#[test]
fn a_limits_item_that_is_malformed_by_hand_is_named_and_disturbs_nothing_else() {
    use faregate_core::model::{Limits, Scope};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    let two = Limits { clusters: Some(2), ..Limits::default() };
    let bob = Scope::User("bob".into());
    block_on(async {
        store.put_limits(&Scope::Default, Some(&two)).await.unwrap();
        store.put_limits(&bob, Some(&two)).await.unwrap();
        store.keep_limits(&store.limits().await.unwrap()).await.unwrap();
    });
    drop(store);
    let by_hand = rusqlite::Connection::open(&path).unwrap();
    let write = |body: &str| {
        let update = "UPDATE items SET body = ?1 WHERE partition = 'limits' AND sort = 'default'";
        by_hand.execute(update, [body]).unwrap()
    };
    for wrong in ["{\"clusters\": \"many\"}", "[]", "{\"clutsers\": 1}", "{", "", "{\"clusters\": -1}"] {
        write(wrong);
        let items = block_on(SqliteStore::open(&path).unwrap().limits()).unwrap();
        assert_eq!(items.in_force, [(Scope::Default, two.clone()), (bob.clone(), two.clone())].into(), "{wrong}");
        assert_eq!(items.broken.keys().collect::<Vec<_>>(), ["default"], "{wrong}");
    }
    write("{\"memory\": \"64 G\"}");
    let items = block_on(SqliteStore::open(&path).unwrap().limits()).unwrap();
    assert_eq!((items.in_force[&Scope::Default].memory, items.broken.len()), (Some(64 << 30), 0));
}

#[test]
fn a_file_of_the_first_schema_is_brought_up_to_date_and_keeps_what_it_has() {
    use faregate_core::model::{Audit, Counts, Month, Scope};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("store-of-schema-1.sql")).unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let alice = Scope::User("alice".into());
    let audit = Audit {
        at: 1_795_000_000_000,
        id: "a".into(),
        who: "root".into(),
        action: "freeze".into(),
        target: alice.to_string(),
        details: serde_json::Value::Null,
        why: None,
    };
    block_on(async {
        let usage = store.usage(std::slice::from_ref(&alice)).await.unwrap().remove(0);
        assert_eq!((usage.version, usage.value.counts, usage.value.changed_at), (3, Counts::CLUSTER * 2, 0));
        assert_eq!(store.limits().await.unwrap().in_force[&Scope::Default].clusters, Some(2));
        store.audit(&audit).await.unwrap();
        write_task(&store, 1).await;
    });
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(block_on(store.audits(Month::of(audit.at), None)).unwrap().items, vec![audit]);
    let version: i64 =
        rusqlite::Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
}

#[test]
fn the_file_itself_refuses_to_change_an_audit_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    block_on(faregate_tests::store_suite::an_audit_record_stays_as_it_is(Arc::new(SqliteStore::open(&path).unwrap())));
    let by_hand = rusqlite::Connection::open(&path).unwrap();
    for (statement, says) in [
        ("UPDATE audit SET body = 'x'", "an audit record cannot be changed"),
        ("DELETE FROM audit", "an audit record cannot be deleted"),
        ("REPLACE INTO audit SELECT month, sort, 'x' FROM audit", "an audit record cannot be replaced"),
        ("INSERT OR IGNORE INTO audit SELECT month, sort, 'x' FROM audit", "an audit record cannot be replaced"),
    ] {
        let refused = by_hand.execute(statement, []).unwrap_err().to_string();
        assert_eq!(refused, says, "{statement}");
    }
    let body: String = by_hand.query_row("SELECT body FROM audit", [], |row| row.get(0)).unwrap();
    assert!(body.contains("set-limits"), "{body}");
}

async fn write_task(store: &SqliteStore, n: u64) {
    let task = samples::task(&samples::name("alice", 1), &format!("t{n:06}"));
    store.transact(vec![Write::Put { record: Record::Task(task), expect: Expect::Absent }]).await.unwrap();
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=3 {
        let path = dir.path().join(format!("store{round}.db"));
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_endless-writer")).arg(&path).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = None;
        for line in lines {
            let line = line.unwrap();
            if let Some(n) = line.split("acknowledged ").nth(1) {
                last = Some(n.trim().parse::<u64>().unwrap());
                if last >= Some(50 * round) {
                    child.kill().unwrap(); // SIGKILL; what it said meanwhile is still read
                }
            }
        }
        child.wait().unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let tasks = block_on(store.children(&samples::name("alice", 1))).unwrap().tasks;
        let ids: Vec<String> = tasks.into_iter().map(|Stored { value, .. }| value.facts.id.0).collect();
        for n in 0..=last.unwrap() {
            assert!(ids.contains(&format!("t{n:06}")), "acknowledged and lost: {n}");
        }
        acknowledged += last.unwrap();
    }
    assert!(acknowledged >= 300);
}
