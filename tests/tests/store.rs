//! The embedded store: the suite of every store, and what only a file can show.
#![allow(clippy::unwrap_used)]

use faregate::model::{Record, Stored};
use faregate::ports::{Expect, Store, Write};
use faregate_local::store::{OpenError, SqliteStore};
use faregate_tests::samples;
use faregate_tests::store_suite::Running;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

fn on_sqlite(property: impl FnOnce(Arc<dyn Store>) -> Running) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("store.db")).unwrap();
    block_on(property(Arc::new(store)));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

faregate_tests::store_suite!(on_sqlite);

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
fn a_malformed_limits_item_leaves_its_last_good_value_in_force() {
    use faregate::model::{Limits, Scope};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    block_on(async {
        let two = Limits { clusters: Some(2), ..Limits::default() };
        store.put_limits(&Scope::Default, Some(&two)).await.unwrap();
        store.limits().await.unwrap();
        let by_hand = rusqlite::Connection::open(&path).unwrap();
        for wrong in ["{\"clusters\": \"many\"}", "[]", "{\"clutsers\": 1}", "{"] {
            by_hand.execute("UPDATE items SET body = ?1 WHERE partition = 'limits'", [wrong]).unwrap();
            assert_eq!(store.limits().await.unwrap()[&Scope::Default], two, "{wrong}");
        }
        by_hand.execute("UPDATE items SET body = '{\"memory\": \"64 G\"}' WHERE partition = 'limits'", []).unwrap();
        assert_eq!(store.limits().await.unwrap()[&Scope::Default].memory, Some(64 << 30));
    });
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
