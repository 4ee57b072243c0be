//! What must hold when a cluster has lived, whoever was killed meanwhile.

use super::gateway::Gateway;
use faregate_core::model::{Amount, ClusterName, Counts, Month, Scope, TaskRole, TaskState};
use faregate_core::ports::Store;
use faregate_sqlite::SqliteStore;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// Ends the gateway (by SIGKILL: it shall not tidy up first), and looks at what is left.
pub fn check(gateway: &mut Gateway, name: &ClusterName) {
    gateway.wait("only the gateway and its proxy are left", || (gateway.processes().len() == 2).then_some(()));
    gateway.end();
    let left = gateway.processes();
    assert!(left.len() == 1 && left[0].command.contains(" proxy "), "only the proxy is left: {left:?}");
    Runtime::new().unwrap().block_on(records(&gateway.data_dir, name));
    files(&gateway.data_dir, name);
}

/// Everything ended, nothing charged, nothing awaited.
async fn records(data_dir: &Path, name: &ClusterName) {
    let store = SqliteStore::open(&data_dir.join("store.sqlite")).unwrap();
    assert_eq!(store.active(None, 100).await.unwrap().items, [], "the index of the active is empty");
    let all = store.clusters(&name.user_key(), None, 100).await.unwrap().items;
    assert_eq!(all.iter().map(|cluster| &cluster.value.name).collect::<Vec<_>>(), [name], "created once");
    let cluster = &all[0].value;
    assert!(cluster.status.is_ended() && !cluster.active && cluster.due_at.is_none(), "{cluster:?}");
    let children = store.children(name).await.unwrap();
    assert!(!children.heartbeat.unwrap().value.accepting);
    for launch in children.launches {
        assert!(!launch.value.state.is_open(), "{:?}", launch.value);
    }
    let mut billed: BTreeMap<Month, Amount> = BTreeMap::new();
    for task in children.tasks {
        assert!(task.value.settled && task.value.facts.state == TaskState::Stopped, "{:?}", task.value);
        for (month, amount) in task.value.billed {
            *billed.entry(month).or_default() += amount;
        }
    }
    assert!(billed.values().any(|amount| amount.mib_ms > 0), "something was used");
    for (month, amount) in billed {
        let ledger = store.ledger(month, Some(&name.user_key()), None).await.unwrap().items;
        let entries: Vec<Amount> = ledger.into_iter().map(|entry| entry.amount).collect();
        assert_eq!(entries, [amount], "each task is in the ledger once");
    }
    let usage = store.usage(&[Scope::User("kim".into())]).await.unwrap();
    assert_eq!(usage[0].value.counts, Counts::default());
}

/// No credentials, no route, and nothing was started twice: launches are idempotent, so that exactly one scheduler and three workers
/// (two, and one in place of the killed one) ever ran, each of them on record.
fn files(data_dir: &Path, name: &ClusterName) {
    assert_eq!(entries(&data_dir.join("routes")), Vec::<PathBuf>::new());
    let dir = data_dir.join("clusters").join(name.as_str());
    for gone in ["token", "tls.key", "tls.crt", "work"] {
        assert!(!dir.join(gone).exists(), "`{gone}` is still there");
    }
    let started: Vec<String> = entries(&dir.join("tasks"))
        .iter()
        .filter(|task| task.join("started.json").exists())
        .map(|task| task.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut roles = Vec::new();
    for launch in entries(&dir.join("launches")).iter().filter(|path| path.extension().is_some_and(|end| end == "json"))
    {
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(launch).unwrap()).unwrap();
        let role: TaskRole = serde_json::from_value(record["role"].clone()).unwrap();
        let tasks = record["tasks"].as_object().unwrap();
        roles.extend(tasks.keys().filter(|task| started.contains(task)).map(|_| role));
    }
    assert_eq!(roles.len(), started.len(), "every task that ran is on record");
    let of = |role| roles.iter().filter(|other| **other == role).count();
    assert_eq!((of(TaskRole::Scheduler), of(TaskRole::Worker)), (1, 3), "schedulers and workers that ever ran");
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect()
}
