//! A storm of requests over a gateway. First twenty users in five groups create all they may, at once, and get exactly that. Then come a
//! thousand creates, scales and deletes, fifty at once, and limits must hold at every moment, by the records and by what runs. Then
//! everything is deleted, and nothing may be counted any more.
//!
//! It blows over the real router and the embedded store, in one process: see [`local`]. Two gateways over DynamoDB are the seeded world's
//! of `faregate-aws-tests`.

mod answers;
mod board;
mod books;
mod burst;
mod history;
pub mod local;
mod people;
mod requests;
mod rest;
mod running;
mod watch;

pub use people::{People, choices};
pub use requests::Outcomes;
pub use watch::Seen;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use faregate_api::{App, Dashboards};
use faregate_auth::Auth;
use faregate_auth::access::Access;
use faregate_auth::methods::basic::Basic;
use faregate_core::model::{ClusterName, TaskRole};
use faregate_core::ports::{Accounts, Store};
use faregate_gateway::Gateway;
use faregate_keys::KeyRing;
use faregate_machine::Machine;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Creates, scales and deletes.
pub const REQUESTS: usize = 1_000;
/// Of them, at once.
pub const AT_ONCE: usize = 50;

/// What runs at one moment: a cluster and a role for each task.
pub type Running = Arc<dyn Fn() -> Vec<(ClusterName, TaskRole)> + Send + Sync>;

/// What a storm blows over.
#[derive(Clone)]
pub struct Host {
    /// Its router.
    pub router: Router,
    /// Its records.
    pub store: Arc<dyn Store>,
    /// Its key ring.
    pub ring: KeyRing,
    /// Tasks that run, all of them at one and the same moment.
    pub running: Running,
    /// Answers of 500 and above, of any request.
    pub failures: Failures,
    /// In about this time a cluster starts; the storm blows as fast as leaves clusters time to start.
    pub pace: Duration,
}

/// Answers that must not be.
#[derive(Clone, Default)]
pub struct Failures(Arc<Mutex<Vec<String>>>);

impl Failures {
    /// The real router over a gateway, its users in their groups. Every user's password is `x`.
    pub fn router(&self, gateway: Arc<Gateway>, records: Arc<dyn Accounts>, people: &People) -> Router {
        let basic = Basic::shared("x");
        let auth = Auth::new(gateway.ring(), vec![Box::new(basic)], Default::default()).unwrap();
        let router = faregate_api::router(App {
            gateway,
            access: Arc::new(Access::new(records, Arc::new(Machine::default()))),
            auth: auth.with_groups(people.groups()),
            prefix: String::new(),
            version: "1.2.3".into(),
            dashboards: Dashboards::Nowhere,
            client_networks: Vec::new(),
        });
        let failures = self.clone();
        router.layer(map_response(move |response: Response| {
            if response.status().is_server_error() {
                failures.0.lock().unwrap().push(format!("an answer was {}", response.status()));
            }
            std::future::ready(response)
        }))
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of the requests.
    pub outcomes: Outcomes,
    /// Of the watch.
    pub seen: Seen,
    /// Workers that ever ran.
    pub workers: usize,
    /// The requests, and the end until all was at rest.
    pub took: (Duration, Duration),
}

/// Lets it blow, deletes everything, and panics at whatever was not as it must be.
pub async fn blow(host: &Host, people: &People, seed: u64) -> Told {
    for (scope, limits) in &people.limits {
        // which may meet others too
        while host.store.put_limits(scope, Some(limits)).await.is_err() {}
    }
    let begun = Instant::now();
    let watch = watch::Watch::begin(host.clone(), people.clone(), seed);
    burst::create_all(host, people).await;
    let outcomes = requests::all(host, people, seed).await;
    let blown = begun.elapsed();
    rest::delete_everything(host, people).await;
    let rested = begun.elapsed() - blown;
    let seen = watch.end().await;
    let workers = rest::judge(host, people).await;
    let failures = host.failures.0.lock().unwrap().clone();
    assert!(failures.is_empty(), "{failures:?}");
    let told = Told { outcomes, seen, workers, took: (blown, rested) };
    println!("{told:#?}");
    told.outcomes.assert_that_it_was_a_storm();
    told.seen.assert_that_it_was_watched();
    told
}
