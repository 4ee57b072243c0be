//! Limits, and what is kept of them for the day on which one is broken.

use faregate_core::model::*;
use faregate_core::ports::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn clusters(n: i64) -> Limits {
    Limits { clusters: Some(n), ..Limits::default() }
}

pub async fn limits_are_written_by_scope(store: Arc<dyn Store>) {
    assert_eq!(store.limits().await.unwrap(), LimitItems::default());
    let mut limits = Limits { clusters: Some(2), memory: Some(64 << 30), cores: Some(2.0), ..Limits::default() };
    limits.budget = Some(2.5);
    limits.frozen = Some("see the \"wiki\" ü".into());
    limits.allowed = Some(BTreeMap::from([("image".to_owned(), vec!["a".into(), 2.into(), true.into()])]));
    let (user, default) = (Scope::User("a:b c/é".into()), Scope::Default);
    store.put_limits(&user, Some(&limits)).await.unwrap();
    store.put_limits(&default, Some(&Limits::default())).await.unwrap();
    limits.clusters = Some(3);
    store.put_limits(&user, Some(&limits)).await.unwrap();
    let expected = BTreeMap::from([(user.clone(), limits), (default.clone(), Limits::default())]);
    assert_eq!(store.limits().await.unwrap(), LimitItems { in_force: expected, broken: BTreeMap::new() });
    store.put_limits(&user, None).await.unwrap();
    store.put_limits(&user, None).await.unwrap();
    assert_eq!(store.limits().await.unwrap().in_force.keys().collect::<Vec<_>>(), vec![&default]);
}

pub async fn only_what_differs_of_the_limits_is_kept(store: Arc<dyn Store>) {
    let (user, group) = (Scope::User("a".into()), Scope::Group("é".into()));
    store.put_limits(&user, Some(&clusters(1))).await.unwrap();
    store.put_limits(&group, Some(&clusters(2))).await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..2 {
        kept.push(store.keep_limits(&store.limits().await.unwrap()).await.unwrap());
    }
    store.put_limits(&user, Some(&clusters(3))).await.unwrap();
    store.put_limits(&group, None).await.unwrap();
    for _ in 0..2 {
        kept.push(store.keep_limits(&store.limits().await.unwrap()).await.unwrap());
    }
    assert_eq!(kept, [2, 0, 2, 0]);
    // what went is forgotten: broken, when it comes again, it has no last good value
    store.put_limits(&group, Some(&clusters(-1))).await.unwrap();
    let problem = "`clusters` must be 0 or more, not -1".to_owned();
    let unreadable = Limits { unreadable: Some(problem), ..Limits::default() };
    let expected = BTreeMap::from([(user, clusters(3)), (group, unreadable)]);
    assert_eq!(store.limits().await.unwrap().in_force, expected);
}

/// `opened` later on the same data as `store`. Another process keeps too, and knows nothing of this one.
pub async fn broken_limits_count_with_what_was_kept(store: Arc<dyn Store>, opened: Arc<dyn Store>) {
    let (user, other) = (Scope::User("a".into()), Scope::User("b".into()));
    store.put_limits(&user, Some(&clusters(2))).await.unwrap();
    store.keep_limits(&store.limits().await.unwrap()).await.unwrap();
    // the other process sees an edit and its withdrawal that this one keeps no copy of
    store.put_limits(&user, Some(&clusters(5))).await.unwrap();
    opened.keep_limits(&opened.limits().await.unwrap()).await.unwrap();
    store.put_limits(&user, Some(&clusters(2))).await.unwrap();
    assert_eq!(store.keep_limits(&store.limits().await.unwrap()).await.unwrap(), 1);
    // broken edits: of one that is kept, and of one that never was good
    for scope in [&user, &other] {
        store.put_limits(scope, Some(&clusters(-4))).await.unwrap();
    }
    let problem = "`clusters` must be 0 or more, not -4";
    let expected = LimitItems {
        in_force: BTreeMap::from([
            (user.clone(), clusters(2)),
            (other.clone(), Limits { unreadable: Some(problem.to_owned()), ..Limits::default() }),
        ]),
        broken: [&user, &other].map(|scope| (scope.to_string(), problem.to_owned())).into(),
    };
    for store in [&store, &opened] {
        assert_eq!(store.limits().await.unwrap(), expected);
        assert_eq!(store.keep_limits(&expected).await.unwrap(), 0);
    }
    assert_eq!(opened.limits().await.unwrap(), expected);
    // mended
    store.put_limits(&user, Some(&clusters(7))).await.unwrap();
    store.put_limits(&other, None).await.unwrap();
    let mended = LimitItems { in_force: BTreeMap::from([(user, clusters(7))]), broken: BTreeMap::new() };
    assert_eq!(opened.limits().await.unwrap(), mended);
}
