//! Everybody creates as much as they may, at the same moment: so much they get, and no more.

use super::answers::{Asked, Got, read};
use super::{AT_ONCE, Host, People};
use crate::api::Call;
use faregate_core::model::Scope;
use serde_json::json;
use std::collections::BTreeMap;

/// Everybody creates until they are refused. Nothing ends meanwhile, so then each is full, or one of their groups is.
pub async fn create_all(host: &Host, people: &People) {
    let names: Vec<&String> = people.users.keys().collect();
    let creations =
        (0..AT_ONCE).map(|n| tokio::spawn(create(host.clone(), people.clone(), names[n % names.len()].clone())));
    let mut created = 0;
    for creation in creations.collect::<Vec<_>>() {
        created += creation.await.unwrap();
    }
    let ceilings = people.ceilings();
    let scopes: Vec<Scope> = ceilings.keys().cloned().collect();
    let usage = host.store.usage(&scopes).await.unwrap().into_iter().map(|usage| usage.value);
    let used: BTreeMap<Scope, i64> = usage.map(|usage| (usage.scope, usage.counts.clusters)).collect();
    for user in people.users.keys() {
        let keys = people.keys(user);
        let full = keys.iter().any(|key| used[key] == ceilings[key].clusters);
        assert!(full, "{user} was refused with {used:?} in use");
    }
    let users = used.iter().filter(|(scope, _)| matches!(scope, Scope::User(_)));
    assert_eq!(users.map(|(_, used)| used).sum::<i64>(), created);
}

async fn create(host: Host, people: People, user: String) -> i64 {
    let mut created = 0;
    let most = people.ceilings()[&Scope::User(user.clone())].clusters;
    while created <= most {
        let call = Call::new(host.router.clone(), "POST", "/api/v1/clusters/");
        let answer = call.basic(&user).json(&json!({"cluster_options": {}})).send().await;
        match read(&people, &user, Asked::Create, &answer) {
            Got::Created => created += 1,
            Got::Refused => return created,
            _ => {}
        }
    }
    panic!("{user} got more than {most} clusters");
}
