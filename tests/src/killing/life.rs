//! The life of one cluster: created, scaled to two workers, its workers restarted, one of them killed, stopped. Its user asks again
//! while the gateway is away.

use super::Point;
use super::gateway::Gateway;
use faregate_core::model::{ClusterName, Status};
use faregate_core::ports::Store;
use faregate_sqlite::SqliteStore;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use tokio::runtime::Runtime;

/// Statuses of all clusters that there are records of.
const ALL: &str = "?status=pending,running,stopping,stopped,failed";

/// Lives it, and gives the cluster's name. In the phase `again` the gateway was killed and has come back to running workers:
/// `again` says where it then kills itself.
pub fn live(gateway: &Gateway, again: Option<&Point>) -> ClusterName {
    gateway.wait("the first start", || gateway.ask("GET", "", ""));
    gateway.enter("create");
    let name = create(gateway);
    let path = |rest: &str| format!("{name}{rest}");
    gateway.wait("a running cluster", || {
        let (_, cluster) = gateway.ask("GET", &path(""), "")?;
        assert!(!matches!(cluster["status"].as_str(), Some("STOPPED" | "FAILED")), "{cluster}");
        (cluster["status"] == "RUNNING").then_some(())
    });
    gateway.enter("scale");
    let (status, answer) = gateway.answer("POST", &path("/scale"), r#"{"count": 2}"#);
    assert_eq!(status, 200, "{answer}");
    let two = |beat: &Value| workers(beat).len() == 2;
    let before = heartbeat(gateway, &name, "two workers", two);
    if let Some(again) = again {
        gateway.enter("again");
        gateway.kill(Some(again.clone()));
        let n = before["n"].as_u64().unwrap();
        heartbeat(gateway, &name, "heartbeats taken by the next gateway", |beat| beat["n"].as_u64() > Some(n + 3));
    }
    gateway.enter("restart");
    restart_workers(&before);
    let joined = before["joined"].as_u64().unwrap() + 2;
    let same = heartbeat(gateway, &name, "the workers after their restart", |beat| {
        two(beat) && beat["joined"].as_u64() == Some(joined)
    });
    assert_eq!(workers(&same), workers(&before));
    kill_one(&same);
    heartbeat(gateway, &name, "another worker in place of the killed one", |beat| {
        two(beat) && workers(beat) != workers(&before)
    });
    gateway.enter("stop");
    let (status, answer) = gateway.answer("DELETE", &path(""), "");
    assert_eq!(status, 204, "{answer}");
    rest(gateway, &name);
    name
}

/// A create whose answer was lost may have been carried out, or not: its user looks before asking again.
fn create(gateway: &Gateway) -> ClusterName {
    let name = gateway.wait("a cluster", || {
        if let Some((status, created)) = gateway.ask("POST", "", r#"{"cluster_options": {}}"#) {
            assert_eq!(status, 201, "{created}");
            return created["name"].as_str().map(str::to_owned);
        }
        let (_, clusters) = gateway.answer("GET", ALL, "");
        clusters.as_object().unwrap().keys().next().cloned()
    });
    name.parse().unwrap()
}

/// Waits until the record says that nothing more is to be done for the cluster.
fn rest(gateway: &Gateway, name: &ClusterName) {
    let store = SqliteStore::open(&gateway.data_dir.join("store.sqlite")).unwrap();
    let runtime = Runtime::new().unwrap();
    let mut last = None;
    let what = format!("the end of cluster {name}");
    gateway.wait(&what, || {
        let cluster = runtime.block_on(store.cluster(name)).unwrap().expect("it is on record").value;
        let over = cluster.status == Status::Stopped && !cluster.active && cluster.due_at.is_none();
        last = Some(cluster);
        over.then_some(())
    });
}

/// The last heartbeat that the gateway took, once it is as it shall be.
fn heartbeat(gateway: &Gateway, name: &ClusterName, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let path = gateway.data_dir.join("clusters").join(name.as_str()).join("work/heartbeat.json");
    let read = || serde_json::from_slice::<Value>(&std::fs::read(&path).ok()?).ok();
    gateway.wait(what, || read().filter(&is))
}

fn workers(heartbeat: &Value) -> BTreeSet<&str> {
    heartbeat["active_workers"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// As `client.restart()` does it: through the scheduler, which the workers leave and join again.
fn restart_workers(heartbeat: &Value) {
    let address = heartbeat["scheduler_address"].as_str().unwrap().strip_prefix("tls://").unwrap();
    writeln!(TcpStream::connect(address).unwrap(), "restart").unwrap();
}

/// SIGKILL to a worker, its supervisor apart.
fn kill_one(heartbeat: &Value) {
    let victim = workers(heartbeat).into_iter().next().unwrap();
    let id = format!("FAREGATE_TASK_ID={}", victim.strip_prefix("w-").unwrap());
    let mut killed = 0;
    for entry in Path::new("/proc").read_dir().unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|b| *b == 0).any(|variable| variable == id.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().parse().unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
            killed += 1;
        }
    }
    assert_eq!(killed, 1, "a light worker is one process");
}
