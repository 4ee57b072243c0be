//! The real router over a real gateway and a real store, without processes: for stories about the wire.

mod call;
mod host;
mod quiet;

pub use call::{Answer, Call};
pub use host::TestHost;
pub use quiet::{QuietLauncher, QuietRoutes, QuietSchedulers, QuietWakes};

use crate::contended::{Contended, Meets};
use axum::Router;
use faregate_api::{App, Dashboards, router};
use faregate_auth::access::Access;
use faregate_auth::methods::basic::Basic;
use faregate_auth::methods::tokens::Tokens;
use faregate_auth::{Auth, Method};
use faregate_core::command::Listen;
use faregate_core::model::{ClusterConfig, ClusterName, Limits, Policy, Scope};
use faregate_core::options::Options;
use faregate_core::ports::{Ports, Store, Wake};
use faregate_gateway::{ClusterSettings, Enforcer, Gateway, Reconciler, Services, TaskEvents};
use faregate_headers::Network;
use faregate_keys::{KeyRing, Use};
use faregate_sqlite::SqliteStore;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// Ways to sign in, over these accounts.
pub type Methods = Box<dyn FnOnce(&Arc<Access>) -> Vec<Box<dyn Method>>>;

/// What a story may set before it begins.
#[derive(Default)]
pub struct Setup {
    /// Served under.
    pub prefix: String,
    /// Shared by all users.
    pub password: Option<String>,
    /// How they sign in; by default with that password, or with machine tokens.
    pub methods: Option<Methods>,
    /// Where dashboards are; by default here, with their key in the link.
    pub dashboards: Option<Dashboards>,
    /// What users may choose.
    pub options: Options,
    /// What a cluster is made of.
    pub base: ClusterConfig,
    /// Durations, and prices.
    pub policy: Policy,
    /// Groups, and who is in them.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Where clients come from; by default anywhere.
    pub client_networks: Vec<Network>,
    /// Which of the gateway's writes meet others; by default none.
    pub meets: Option<Meets>,
}

/// A gateway that is served, and the hands that its story needs on it.
pub struct Api {
    /// Under the router.
    pub gateway: Arc<Gateway>,
    /// Time as an event, which comes when a test calls it.
    pub enforcer: Arc<Enforcer>,
    /// What starts and stops tasks.
    pub reconciler: Arc<Reconciler>,
    /// What the launcher tells.
    pub task_events: Arc<TaskEvents>,
    /// Accounts and tokens.
    pub access: Arc<Access>,
    /// What is served.
    pub router: Router,
    /// Clock and randomness.
    pub host: Arc<TestHost>,
    /// Starts nothing, remembers everything.
    pub launcher: Arc<QuietLauncher>,
    /// What schedulers were asked.
    pub schedulers: Arc<QuietSchedulers>,
    /// What was sent.
    pub wakes: Arc<QuietWakes>,
    /// What the proxy was told.
    pub routes: Arc<QuietRoutes>,
    /// The store itself.
    pub store: Arc<SqliteStore>,
    prefix: String,
    /// A second connection to the store's file, for a look at what is on disk.
    database: Mutex<Connection>,
    directory: Arc<TempDir>,
}

impl Api {
    /// With all defaults.
    pub async fn new() -> Api {
        Api::with(Setup::default()).await
    }

    /// As set up.
    pub async fn with(setup: Setup) -> Api {
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        Api::at(directory, Arc::new(TestHost::default()), setup)
    }

    /// Another process on the same records, by the same clock.
    pub async fn beside(&self, setup: Setup) -> Api {
        Api::at(self.directory.clone(), self.host.clone(), setup)
    }

    fn at(directory: Arc<TempDir>, host: Arc<TestHost>, setup: Setup) -> Api {
        let database = directory.path().join("faregate.db");
        let store = Arc::new(SqliteStore::open(&database).expect("a store"));
        let launcher = Arc::new(QuietLauncher::default());
        let schedulers = Arc::new(QuietSchedulers::default());
        let wakes = Arc::new(QuietWakes::default());
        let routes = Arc::new(QuietRoutes::default());
        let ports = Ports {
            store: match setup.meets {
                Some(meets) => Arc::new(Contended { inner: store.clone(), meets }),
                None => store.clone(),
            },
            wakes: wakes.clone(),
            launcher: launcher.clone(),
            schedulers: schedulers.clone(),
            routes: routes.clone(),
            host: host.clone(),
        };
        let ring = KeyRing::from_random(&std::array::from_fn(|i| i as u8));
        let settings = ClusterSettings {
            options: setup.options,
            base: setup.base,
            api_url: format!("http://127.0.0.1:8000{}/api", setup.prefix),
            listen: Listen::loopback(),
            check_launch: |_| Ok(()),
        };
        let Services { gateway, enforcer, reconciler, task_events, .. } =
            Services::new(ports, ring.clone(), setup.policy, settings);
        let access = Arc::new(Access::new(store.clone(), host.clone()));
        let basic = setup.password.map_or_else(Basic::anybody, Basic::shared);
        let usual = |access: &Arc<Access>| -> Vec<Box<dyn Method>> {
            vec![Box::new(Tokens { access: access.clone() }), Box::new(basic)]
        };
        let methods = setup.methods.unwrap_or(Box::new(usual));
        let auth = Auth::new(&ring, methods(&access), ["root".to_owned()].into()).expect("a whole ring");
        let auth = auth.with_groups(setup.groups).with_access(&access);
        let router = router(App {
            gateway: gateway.clone(),
            access: access.clone(),
            auth,
            prefix: setup.prefix.clone(),
            version: "1.2.3".into(),
            dashboards: setup.dashboards.unwrap_or(Dashboards::Here { sign_in: false }),
            client_networks: setup.client_networks,
        });
        Api {
            gateway,
            enforcer,
            reconciler,
            task_events,
            access,
            router,
            host,
            launcher,
            schedulers,
            wakes,
            routes,
            store,
            prefix: setup.prefix,
            database: Mutex::new(Connection::open(&database).expect("the database")),
            directory,
        }
    }

    /// `GET`, below the prefix.
    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// `POST`, below the prefix.
    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// `DELETE`, below the prefix.
    pub fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    /// Any method, below the prefix.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.router.clone(), method, &format!("{}{path}", self.prefix))
    }

    /// The token of a cluster.
    pub fn token(&self, name: &ClusterName) -> String {
        let ring = self.gateway.ring();
        ring.token(&ring.newest().id, Use::Cluster, name).expect("a key of the ring")
    }

    /// A new cluster of a user: PENDING, as nothing has looked at it yet.
    pub async fn create(&self, user: &str) -> ClusterName {
        let answer = self.post("/api/v1/clusters/").basic(user).json(&json!({"cluster_options": {}})).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["name"].as_str().expect("a name").parse().expect("a cluster's name")
    }

    /// A new cluster of a user that RUNs: its scheduler was launched and has sent its first heartbeat.
    pub async fn running(&self, user: &str) -> ClusterName {
        let name = self.create(user).await;
        self.run(&name).await;
        name
    }

    /// Brings a PENDING cluster to RUNNING.
    pub async fn run(&self, name: &ClusterName) {
        self.turn(name).await;
        assert_eq!(self.heartbeat(name, heartbeat()).await.status, 200);
        self.turn(name).await;
    }

    /// Lets the reconciler look at a cluster once.
    pub async fn turn(&self, name: &ClusterName) {
        self.reconciler.reconcile(&Wake::Cluster(name.clone())).await.expect("a wake that is handled");
    }

    /// The scheduler of a RUNNING cluster asks for so many workers: they are launched as far as there is room, and connect.
    pub async fn want(&self, name: &ClusterName, workers: u32) {
        // one launch for each wake
        for _ in 0..=workers.div_ceil(self.gateway.policy().tasks_per_launch) {
            let body = json!({"count": workers, "active_workers": self.launcher.workers(name)});
            let mut whole = heartbeat();
            whole.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
            assert_eq!(self.heartbeat(name, whole).await.status, 200);
            self.turn(name).await;
        }
    }

    /// Ends a cluster by its owner, and lets it come to rest.
    pub async fn end(&self, user: &str, name: &ClusterName) {
        let answer = self.delete(&format!("/api/v1/clusters/{name}")).basic(user).send().await;
        assert_eq!(answer.status, 204, "{answer:?}");
        while self.report(user, name).await["status"] == "STOPPING" {
            self.turn(name).await;
            self.host.pass(self.gateway.policy().check_ms);
        }
    }

    /// Sends a heartbeat as the cluster's scheduler.
    pub async fn heartbeat(&self, name: &ClusterName, body: Value) -> Answer {
        self.post(&format!("/api/v1/clusters/{name}/heartbeat")).token(&self.token(name)).json(&body).send().await
    }

    /// One cluster's report.
    pub async fn report(&self, user: &str, name: &ClusterName) -> Value {
        let answer = self.get(&format!("/api/v1/clusters/{name}")).basic(user).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Limits that are in force from now on.
    pub async fn limit(&self, scope: &str, limits: Limits) {
        let scope = Scope::try_from(scope.to_owned()).expect("a scope");
        self.store.put_limits(&scope, Some(&limits)).await.expect("written");
        self.host.pass(self.gateway.policy().limits_cache_ms + 1);
    }

    /// Every row of every table that is on disk.
    pub fn everything_stored(&self) -> BTreeMap<String, Vec<String>> {
        let database = self.database.lock().expect("no test panicked with it");
        let tables: Vec<String> = rows(&database, "SELECT name FROM sqlite_master WHERE type = 'table'");
        tables
            .into_iter()
            .map(|table| (table.clone(), rows(&database, &format!("SELECT * FROM \"{table}\""))))
            .collect()
    }

    /// Takes the store away, as a disk that dies does.
    pub fn lose_the_store(&self) {
        let tables = self.everything_stored().into_keys().filter(|table| !table.starts_with("sqlite_"));
        let drops: String = tables.map(|table| format!("DROP TABLE \"{table}\";")).collect();
        self.database.lock().expect("no test panicked with it").execute_batch(&drops).expect("dropped");
    }
}

/// Rows as text.
fn rows(database: &Connection, query: &str) -> Vec<String> {
    let mut statement = database.prepare(query).expect("a query");
    let columns = statement.column_count();
    let mut rows = statement.query([]).expect("rows");
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let cell = |i| match row.get_ref(i).expect("a column") {
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        };
        found.push((0..columns).map(cell).collect::<Vec<_>>().join(" | "));
    }
    found
}

/// The first heartbeat of a scheduler, at the address that the quiet launcher gives all its tasks.
pub fn heartbeat() -> Value {
    json!({
        "scheduler_address": "tls://127.0.0.1:40001",
        "dashboard_address": "http://127.0.0.1:40002",
        "api_address": "http://127.0.0.1:40003",
        "count": 0,
        "active_workers": [],
        "closing_workers": [],
        "closed_workers": [],
    })
}

/// One option of every kind.
pub fn options() -> Options {
    let list = json!([
        {"field": "worker_cores", "type": "int", "default": 1, "min": 1, "max": 4, "label": "Worker cores"},
        {"field": "worker_memory", "type": "string", "default": "2 G"},
        {"field": "period", "type": "float", "default": 3, "min": 0.5, "target": "adaptive_period"},
        {"field": "environment", "type": "mapping"},
        {"field": "debug", "type": "bool", "target": "environment.DEBUG"},
        {"field": "profile", "type": "select", "options": [
            {"key": "small", "set": {"scheduler_cores": 1}},
            {"key": "large", "set": {"scheduler_cores": 2, "scheduler_memory": "8 G"}}]},
    ]);
    Options::declare(list.as_array().expect("a list"), &ClusterConfig::default()).expect("good declarations")
}
