//! Writes to a store, and says what was acknowledged, until it is killed.
#![allow(clippy::unwrap_used)]

use faregate_core::model::Record;
use faregate_core::ports::{Expect, Store, Write};
use faregate_sqlite::SqliteStore;
use faregate_tests::samples;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::args_os().nth(1).expect("the path of a store");
    let store = SqliteStore::open(path.as_ref()).unwrap();
    for n in 0.. {
        let task = samples::task(&samples::name("alice", 1), &format!("t{n:06}"));
        store.transact(vec![Write::Put { record: Record::Task(task), expect: Expect::Absent }]).await.unwrap();
        println!("acknowledged {n}");
    }
}
