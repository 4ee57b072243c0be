//! What the core needs of the world outside: each port has one implementation per host, and one conformance suite that all pass.

mod accounts;
mod host;
mod launcher;
mod limit_items;
mod once;
mod retries;
mod routes;
mod schedulers;
mod store;
mod wakes;

pub use accounts::Accounts;
pub use host::Host;
pub use launcher::{Credentials, LaunchError, Launched, Launcher, LauncherError, PrepareError, TaskPage};
pub use limit_items::{Attributes, LimitItems};
pub use once::{Once, use_once};
pub use retries::{Retries, jitter};
pub use routes::{Route, Routes, RoutesError};
pub use schedulers::{Answer, Ask, Idleness, Question, SchedulerError, Schedulers};
pub use store::{
    ActiveRow, Children, Conflict, ENTRIES_A_PAGE, Expect, Page, StopRequest, Store, StoreError, Touch, TransactError,
    Write,
};
pub use wakes::{Wake, Wakes, WakesError};

use std::sync::Arc;

/// All ports of one host.
#[derive(Clone)]
pub struct Ports {
    /// Records.
    pub store: Arc<dyn Store>,
    /// Hints to the reconciler.
    pub wakes: Arc<dyn Wakes>,
    /// Tasks.
    pub launcher: Arc<dyn Launcher>,
    /// The schedulers' own HTTP APIs.
    pub schedulers: Arc<dyn Schedulers>,
    /// What the proxy relays to.
    pub routes: Arc<dyn Routes>,
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
}
