//! A gateway's records while many clusters run, written straight into a store, and what an enforcement run over them costs: for the benches of it
//! and for the tests of what it reads and writes.

mod clock;
mod counting;
mod records;
mod stand_ins;

pub use clock::LaterClock;
pub use counting::{Count, CountingSchedulers, CountingStore, Counts, Questions};
pub use records::{Crowd, IDLE_TIMEOUT_MS, WORKERS, fill};
pub use stand_ins::{STAND_INS, StandIns};

use crate::api::{QuietLauncher, QuietRoutes, QuietWakes};
use crate::samples::ring;
use faregate_core::command::Listen;
use faregate_core::model::{ClusterConfig, Ms, Policy, Prices, Rates};
use faregate_core::options::Options;
use faregate_core::ports::{Ports, Store};
use faregate_dask::HttpSchedulers;
use faregate_gateway::{ClusterSettings, Enforcer, Services};
use std::sync::Arc;
use std::time::Duration;

/// Between the beginnings of two enforcement runs, in milliseconds: as EventBridge begins them.
pub const PERIOD_MS: Ms = 60_000;
/// A question to a scheduler is given up after this time, as on one machine.
const QUESTION: Duration = Duration::from_secs(5);

/// A gateway over a store that counts, which starts nothing.
pub struct Counted {
    /// What is counted.
    pub enforcer: Arc<Enforcer>,
    /// What it reads and writes.
    pub store: Arc<CountingStore>,
    /// What it asks.
    pub schedulers: Arc<CountingSchedulers>,
    /// What it sends.
    pub wakes: Arc<QuietWakes>,
    /// Its clock.
    pub clock: Arc<LaterClock>,
}

impl Counted {
    /// One that works with Fargate's times, at made-up prices.
    pub fn new(store: Arc<dyn Store>) -> Counted {
        let store = Arc::new(CountingStore::new(store));
        let schedulers = Arc::new(CountingSchedulers::new(Arc::new(HttpSchedulers::new(QUESTION))));
        let wakes = Arc::new(QuietWakes::default());
        let clock = Arc::new(LaterClock::default());
        let ports = Ports {
            store: store.clone(),
            wakes: wakes.clone(),
            launcher: Arc::new(QuietLauncher::default()),
            schedulers: schedulers.clone(),
            routes: Arc::new(QuietRoutes::default()),
            host: clock.clone(),
        };
        let settings = ClusterSettings {
            options: Options::default(),
            base: ClusterConfig::default(),
            api_url: "http://127.0.0.1:9/api".into(),
            listen: Listen::own_address(),
            check_launch: |_| Ok(()),
        };
        let Services { enforcer, .. } = Services::new(ports, ring(), policy(), settings);
        Counted { enforcer, store, schedulers, wakes, clock }
    }

    /// Puts its clock forward to an enforcement run in which every scheduler that has answered is to be asked again.
    pub fn advance_until_all_are_due(&self) {
        self.clock.advance(IDLE_TIMEOUT_MS + PERIOD_MS);
    }
}

fn policy() -> Policy {
    let rates = Rates { vcpu_hour: 0.04, gib_hour: 0.004, spot_vcpu_hour: 0.01, spot_gib_hour: 0.001 };
    Policy { prices: Prices { default: rates, arm64: rates, x86_64: rates }, ..Policy::fargate() }
}
