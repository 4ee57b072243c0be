//! Audit records.

use faregate_core::model::*;
use faregate_core::ports::*;
use serde_json::json;
use std::sync::Arc;

fn month() -> Month {
    "2026-11".parse().unwrap()
}

fn audit(at: Ms, id: &str) -> Audit {
    Audit {
        at,
        id: id.into(),
        who: "ålice".into(),
        action: "set-limits".into(),
        target: "user:bob".into(),
        details: json!({"clusters": 2, "cores": 2.0, "allowed": {"image": ["a", null]}, "": ""}),
        why: Some("asked \"nicely\"".into()),
    }
}

pub async fn audit_records_are_read_in_order_page_by_page(store: Arc<dyn Store>) {
    let start = month().start();
    let many = ENTRIES_A_PAGE as i64 + 30;
    let mut records: Vec<Audit> = (0..many).map(|n| audit(start + n / 2 * 1_000, &format!("id-{n:04}"))).collect();
    records[7].details = serde_json::Value::Null;
    records[7].why = None;
    for record in records.iter().rev() {
        store.audit(record).await.unwrap();
    }
    let next = audit(month().end(), "next");
    store.audit(&next).await.unwrap();
    let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.audits(month(), cursor.as_deref()).await.unwrap();
        found.extend(page.items);
        (cursor, pages) = (page.cursor, pages + 1);
        if cursor.is_none() || pages > 10 {
            break;
        }
    }
    assert_eq!(found.len(), records.len());
    assert!(found == records, "not in order, or not as written");
    assert_eq!(pages, 2);
    assert_eq!(store.audits(month().next(), None).await.unwrap(), Page { items: vec![next], cursor: None });
    assert!(store.audits(month(), Some("x")).await.is_err());
}

pub async fn an_audit_record_stays_as_it_is(store: Arc<dyn Store>) {
    let first = audit(month().start(), "a");
    store.audit(&first).await.unwrap();
    // the same again (its reply was lost) is the same
    store.audit(&first).await.unwrap();
    let other = Audit { who: "mallory".into(), ..first.clone() };
    assert!(store.audit(&other).await.is_err());
    store.forget_expired(Ms::MAX).await.unwrap();
    assert_eq!(store.audits(month(), None).await.unwrap().items, vec![first]);
}
