//! The ledger: what is billed, by month, user and cluster.

use super::put;
use crate::samples;
use faregate_core::model::*;
use faregate_core::ports::*;
use std::sync::Arc;

fn month() -> Month {
    "2026-11".parse().unwrap()
}

fn cents(n: i64) -> Amount {
    Amount { millicore_ms: 1_000 * n, mib_ms: 2_048 * n, spot_millicore_ms: n, spot_mib_ms: 0, nanousd: 10_000_000 * n }
}

fn bill_in(month: Month, user: &str, n: u64, amount: Amount) -> Write {
    Write::Bill { month, user: user.into(), cluster: samples::name(user, n), amount }
}

fn bill(user: &str, n: u64, amount: Amount) -> Write {
    bill_in(month(), user, n, amount)
}

/// Every page.
async fn all(store: &dyn Store, month: Month, user: Option<&str>) -> (Vec<LedgerEntry>, usize) {
    let key = user.map(|user| samples::ring().user_key(user));
    let (mut entries, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.ledger(month, key.as_ref(), cursor.as_deref()).await.unwrap();
        assert!(page.items.len() <= ENTRIES_A_PAGE);
        entries.extend(page.items);
        (cursor, pages) = (page.cursor, pages + 1);
        if cursor.is_none() || pages > 10 {
            return (entries, pages);
        }
    }
}

pub async fn bills_add_up_by_month_and_cluster(store: Arc<dyn Store>) {
    let task = |id: &str| Record::Task(samples::task(&samples::name("alice", 1), id));
    let none = all(&*store, month(), None).await.0;
    assert_eq!(none, vec![]);
    let first = vec![put(task("a"), Expect::Absent), bill("alice", 1, cents(3)), bill("alice", 2, cents(1))];
    store.transact(first).await.unwrap();
    let next = month().next();
    let both = vec![
        bill("alice", 1, cents(4)),
        put(task("a"), Expect::Version(1)),
        bill_in(next, "alice", 1, cents(9)),
        Write::Count {
            scope: Scope::User("alice".into()),
            delta: Counts::CLUSTER,
            ceiling: Counts::UNBOUNDED,
            now: 1,
            pace: None,
        },
    ];
    store.transact(both).await.unwrap();
    // a correction, by itself, and to below what was billed
    store.transact(vec![bill("alice", 2, -cents(2))]).await.unwrap();
    let entry =
        |month, n, amount| LedgerEntry { month, user: "alice".into(), cluster: samples::name("alice", n), amount };
    let expected = vec![entry(month(), 1, cents(7)), entry(month(), 2, -cents(1))];
    assert_eq!(all(&*store, month(), None).await.0, expected);
    assert_eq!(all(&*store, next, Some("alice")).await.0, vec![entry(next, 1, cents(9))]);
    assert_eq!(all(&*store, next, Some("bob")).await.0, vec![]);
}

pub async fn a_bill_of_a_failed_transaction_is_not_there(store: Arc<dyn Store>) {
    let task = Record::Task(samples::task(&samples::name("alice", 1), "a"));
    let billed = |expect| vec![bill("alice", 1, cents(5)), put(task.clone(), expect)];
    store.transact(billed(Expect::Absent)).await.unwrap();
    let Err(TransactError::Conflicts(conflicts)) = store.transact(billed(Expect::Absent)).await else {
        panic!("billed twice")
    };
    assert_eq!(conflicts.iter().map(|c| c.index).collect::<Vec<_>>(), vec![1]);
    // one item once, as of all others
    let twice = store.transact(vec![bill("alice", 1, cents(1)), bill("alice", 1, cents(1))]).await;
    assert!(matches!(twice, Err(TransactError::Failed(_))), "{twice:?}");
    assert_eq!(all(&*store, month(), None).await.0.iter().map(|e| e.amount).sum::<Amount>(), cents(5));
}

pub async fn a_ledger_is_read_page_by_page_of_one_user_or_of_all(store: Arc<dyn Store>) {
    let many = ENTRIES_A_PAGE as u64 + 30;
    let mut bills: Vec<Write> = (0..many).map(|n| bill("alice", n, cents(1))).collect();
    bills.extend((0..30).map(|n| bill("bob", n, cents(1))));
    bills.extend((0..30).map(|n| bill("carol", n, cents(1))));
    for chunk in bills.chunks(100) {
        store.transact(chunk.to_vec()).await.unwrap();
    }
    let (alice, pages) = all(&*store, month(), Some("alice")).await;
    let names: Vec<ClusterName> = alice.into_iter().map(|entry| entry.cluster).collect();
    assert_eq!((names, pages), ((0..many).map(|n| samples::name("alice", n)).collect(), 2));
    for user in ["bob", "carol"] {
        let (entries, _) = all(&*store, month(), Some(user)).await;
        assert_eq!((entries.len(), entries.iter().all(|e| e.user == user)), (30, true));
    }
    let (everybody, _) = all(&*store, month(), None).await;
    assert_eq!(everybody.iter().map(|e| e.amount).sum::<Amount>(), cents(many as i64 + 60));
    let alice = samples::ring().user_key("alice");
    for cursor in ["x", samples::name("bob", 1).as_str()] {
        assert!(store.ledger(month(), Some(&alice), Some(cursor)).await.is_err(), "{cursor}");
    }
}
