//! The API over a gateway inside, served as `functions/api` serves it, and schedulers that are nothing but their heartbeats.

use super::Inside;
use axum::Router;
use fake_ecs::FakeEcs;
use faregate_api::{App, Dashboards, router};
use faregate_auth::Auth;
use faregate_auth::access::Access;
use faregate_auth::methods::basic::Basic;
use faregate_core::model::{ClusterName, TaskId};
use faregate_core::ports::Wake;
use faregate_keys::Use;
use faregate_machine::Machine;
use faregate_tests::api::{Answer, Call};
use faregate_tests::server::PATIENCE;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The API. Users sign in with the password `x`.
#[derive(Clone)]
pub struct Served {
    router: Router,
}

impl Served {
    /// Serves a gateway.
    pub fn new(inside: &Inside) -> Served {
        let basic = Basic::shared("x");
        let auth = Auth::new(&inside.ring, vec![Box::new(basic)], Default::default()).unwrap();
        let app = App {
            gateway: inside.gateway.clone(),
            access: Arc::new(Access::new(inside.store.clone(), Arc::new(Machine::default()))),
            auth,
            prefix: String::new(),
            version: "1.2.3".into(),
            dashboards: Dashboards::Elsewhere { url: "https://dashboards.example".into(), sign_in: false },
            client_networks: Vec::new(),
        };
        Served { router: router(app) }
    }

    /// A request to `/api/v1/clusters/<rest>`.
    pub fn call(&self, method: &str, rest: &str) -> Call {
        Call::new(self.router.clone(), method, &format!("/api/v1/clusters/{rest}"))
    }

    /// A new cluster of a user.
    pub async fn create(&self, user: &str) -> ClusterName {
        let answer = self.call("POST", "").basic(user).json(&json!({"cluster_options": {}})).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["name"].as_str().unwrap().parse().unwrap()
    }

    /// A heartbeat, as the cluster's scheduler sends it; it must be taken.
    pub async fn heartbeat(&self, inside: &Inside, name: &ClusterName, body: &Value) {
        let answer = self.try_heartbeat(inside, name, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A heartbeat, and what is answered.
    pub async fn try_heartbeat(&self, inside: &Inside, name: &ClusterName, body: &Value) -> Answer {
        let token = inside.ring.token(&inside.ring.newest().id, Use::Cluster, name).unwrap();
        self.call("POST", &format!("{name}/heartbeat")).token(&token).json(body).send().await
    }

    /// A cluster that RUNs, by turns that are taken here: its scheduler was launched, and its first heartbeat heard.
    pub async fn running(&self, inside: &Inside, user: &str) -> ClusterName {
        let name = self.create(user).await;
        turn(inside, &name).await;
        let waiting = self.call("GET", &format!("{name}?wait")).basic(user).send().await;
        assert_eq!(waiting.status, 200, "{}", String::from_utf8_lossy(&waiting.body));
        self.heartbeat(inside, &name, &heartbeat(&scheduler_address(&inside.ecs, &name).await, 0, &[])).await;
        turn(inside, &name).await;
        let report = self.call("GET", name.as_str()).basic(user).send().await.json();
        assert_eq!(report["status"], "RUNNING", "{report}");
        name
    }
}

/// Takes one turn for a cluster.
pub async fn turn(inside: &Inside, name: &ClusterName) {
    inside.reconciler.reconcile(&Wake::Cluster(name.clone())).await.unwrap();
}

/// What a scheduler at this address says: so many workers are wanted, and these are there.
pub fn heartbeat(address: &str, count: u32, workers: &[TaskId]) -> Value {
    json!({
        "scheduler_address": format!("tls://{address}:8786"),
        "dashboard_address": format!("http://{address}:8787"),
        "api_address": format!("http://{address}:8788"),
        "count": count,
        "active_workers": workers.iter().map(TaskId::worker_name).collect::<Vec<_>>(),
        "closing_workers": [],
        "closed_workers": [],
    })
}

/// The address of a cluster's scheduler task, once it has one.
pub async fn scheduler_address(ecs: &FakeEcs, name: &ClusterName) -> String {
    let group = format!("scheduler:{name}");
    eventually("the scheduler has an address", || {
        let tasks = ecs.tasks();
        let task = tasks.iter().find(|task| task["group"] == *group)?;
        let details = task["attachments"][0]["details"].as_array()?;
        let address = details.iter().find(|detail| detail["name"] == "privateIPv4Address")?;
        Some(address["value"].as_str()?.to_owned())
    })
    .await
}

/// Waits for something to be there.
pub async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
