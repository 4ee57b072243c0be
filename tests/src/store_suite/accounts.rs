//! Accounts, machine tokens, and what was used.

use super::{put, write_new, write_on};
use faregate_core::model::*;
use faregate_core::ports::*;
use futures::future::join_all;
use std::sync::Arc;

fn account(name: &str) -> Account {
    Account { name: name.into(), password: Some("$argon2id$v=19$é".into()), changed_at: 1_000, expires_at: None }
}

fn token(id: &str) -> MachineToken {
    MachineToken {
        id: id.into(),
        user: "ålice".into(),
        name: "nightly \"run\"".into(),
        groups: vec![MachineToken::own_group(id), "team ä".into()],
        scopes: [TokenScope::Read, TokenScope::Stop].into(),
        hash: "ab".repeat(32),
        created_at: 1_000,
        created_by: "command line: root".into(),
        valid_until: 2_000,
        revoked_at: None,
        last_used_at: None,
        expires_at: Some(3_000),
    }
}

pub async fn accounts_are_found_by_their_name_and_listed_in_order(store: Arc<dyn Accounts>) {
    assert_eq!(store.account("alice").await.unwrap(), None);
    assert_eq!(store.accounts().await.unwrap(), []);
    let names = ["alice", "bob # 1", "zoé/..", "Alice"];
    write_new(&*store, names.iter().map(|name| Record::Account(account(name))).collect()).await;
    for name in names {
        assert_eq!(store.account(name).await.unwrap(), Some(Stored { value: account(name), version: 1 }));
    }
    let removed = Account { password: None, changed_at: 2_000, expires_at: Some(9_000), ..account("alice") };
    write_on(&*store, Record::Account(removed.clone()), 1).await.unwrap();
    assert!(write_on(&*store, Record::Account(account("alice")), 1).await.is_err(), "an old version");
    let listed: Vec<Account> = store.accounts().await.unwrap().into_iter().map(|stored| stored.value).collect();
    assert_eq!(listed, [account("Alice"), removed, account("bob # 1"), account("zoé/..")]);
    write_on(&*store, Record::Account(account("alice")), 2).await.unwrap();
    assert_eq!(store.account("alice").await.unwrap(), Some(Stored { value: account("alice"), version: 3 }));
}

pub async fn machine_tokens_are_found_by_their_id_and_listed_in_order(store: Arc<dyn Accounts>) {
    assert_eq!(store.machine_token("0b").await.unwrap(), None);
    assert_eq!(store.machine_tokens().await.unwrap(), []);
    write_new(&*store, ["0b", "0a"].map(|id| Record::MachineToken(token(id))).into()).await;
    let used = MachineToken { last_used_at: Some(1_500), revoked_at: Some(1_700), ..token("0a") };
    write_on(&*store, Record::MachineToken(used.clone()), 1).await.unwrap();
    assert_eq!(store.machine_token("0a").await.unwrap(), Some(Stored { value: used.clone(), version: 2 }));
    let listed = store.machine_tokens().await.unwrap();
    assert_eq!(listed, [Stored { value: used, version: 2 }, Stored { value: token("0b"), version: 1 }]);
    assert_eq!(store.accounts().await.unwrap(), [], "a token is no account");
}

pub async fn what_is_used_once_is_used_by_one_of_all_who_try(store: Arc<dyn Accounts>) {
    let use_it = |what: &str| {
        let record = Record::Used(Used { what: what.into(), expires_at: 1_000 });
        let (store, write) = (store.clone(), vec![put(record, Expect::Absent)]);
        async move {
            loop {
                match store.transact(write.clone()).await {
                    Ok(()) => return true,
                    Err(TransactError::Conflicts(_)) => return false,
                    Err(TransactError::Contention) => {}
                    Err(TransactError::Failed(error)) => panic!("{error}"),
                }
            }
        }
    };
    let tries = join_all((0..8).map(|_| use_it("a ticket"))).await;
    assert_eq!(tries.into_iter().filter(|first| *first).count(), 1);
    assert!(use_it("another").await && !use_it("another").await);
}

/// A store that forgets by itself, in its own time, says 0 and may keep what has expired for a while.
pub async fn accounts_and_tokens_are_forgotten_when_they_may_be(store: Arc<dyn Accounts>) {
    let removed = Account { password: None, expires_at: Some(100), ..account("removed") };
    let used = Used { what: "x".into(), expires_at: 100 };
    let kept = [Record::Account(account("alice")), Record::MachineToken(token("0a"))];
    let old = Record::MachineToken(MachineToken { expires_at: Some(100), ..token("0b") });
    write_new(&*store, vec![Record::Account(removed), Record::Used(used), old]).await;
    write_new(&*store, kept.into()).await;
    let forgotten = store.forget_expired(200).await.unwrap();
    assert!([0, 3].contains(&forgotten), "{forgotten}");
    assert!(store.account("alice").await.unwrap().is_some() && store.machine_token("0a").await.unwrap().is_some());
    let left = usize::from(store.account("removed").await.unwrap().is_some());
    assert_eq!(left, usize::from(forgotten == 0));
    assert_eq!(store.machine_token("0b").await.unwrap().is_some(), forgotten == 0);
}

pub async fn failures_are_found_by_user_and_peer_and_listed(store: Arc<dyn Accounts>) {
    let subjects = [(None, Some("10.0.0.1")), (Some("ålice # 1"), None), (Some("ålice # 1"), Some("2001:db8::/64"))];
    let failures = |(user, peer): (Option<&str>, Option<&str>), times: usize| {
        let mut failures = Failures::none(user, peer);
        (0..times).for_each(|_| failures.fail(1_000));
        failures
    };
    assert_eq!(store.all_failures().await.unwrap(), []);
    write_new(&*store, subjects.iter().map(|subject| Record::Failures(failures(*subject, 1))).collect()).await;
    for (user, peer) in subjects {
        let found = store.failures(user, peer).await.unwrap();
        assert_eq!(found, Some(Stored { value: failures((user, peer), 1), version: 1 }));
    }
    assert_eq!(store.failures(Some("10.0.0.1"), None).await.unwrap(), None);
    let lifted = Failures { lifted_at: Some(2_000), ..failures(subjects[0], 2) };
    write_on(&*store, Record::Failures(lifted.clone()), 1).await.unwrap();
    assert!(write_on(&*store, Record::Failures(lifted.clone()), 1).await.is_err(), "an old version");
    let all = store.all_failures().await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.contains(&Stored { value: lifted, version: 2 }));
}
