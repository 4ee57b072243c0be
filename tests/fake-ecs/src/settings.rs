//! What a fake is started with, and what of it can be turned while it runs.

use crate::rates::Rates;
use crate::start_failures::StartFailures;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What a fake is started with. Everything has a default except `dir`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen (API, metadata endpoint, control). Default: a free port of 127.0.0.1.
    pub listen: SocketAddr,
    /// The region in ARNs.
    pub region: String,
    /// The account in ARNs.
    pub account: String,
    /// Clusters that exist from the beginning, by name.
    pub clusters: Vec<String>,
    /// Where tasks live: `<dir>/<task id>.log` and `<dir>/<task id>/`, their working directory.
    pub dir: PathBuf,
    /// Directories put before the system's in each task's PATH, for example a virtual environment's `bin`.
    pub path: Vec<PathBuf>,
    /// What each task finds in its environment besides; task definitions and overrides win.
    pub environment: BTreeMap<String, String>,
    /// Endpoint that environment files are fetched from (`<s3>/<bucket>/<key>`).
    pub s3: Option<String>,
    /// Endpoint that task state changes are sent to (EventBridge's PutEvents).
    pub events: Option<String>,
    /// Endpoint that logs of containers with `awslogs` are sent to (CloudWatch Logs).
    pub logs: Option<String>,
    /// Start the containers' commands? Else tasks only go through their states, and run until they are stopped.
    pub run_processes: bool,
    /// What can be turned while it runs.
    pub knobs: Knobs,
}

impl Settings {
    /// The defaults, with tasks living in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Settings {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
            clusters: Vec::new(),
            dir: dir.into(),
            path: Vec::new(),
            environment: BTreeMap::new(),
            s3: None,
            events: None,
            logs: None,
            run_processes: true,
            knobs: Knobs::default(),
        }
    }

    /// The ARN of something in ECS, for example `task/cluster/id`.
    pub fn arn(&self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{resource}", self.region, self.account)
    }
}

/// What can be turned while the fake runs, by `FakeEcs::turn` or `POST /_control/knobs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Knobs {
    /// How long a task is PROVISIONING, in ms.
    pub provisioning_ms: u64,
    /// How long a task is PENDING, in ms.
    pub pending_ms: u64,
    /// How long each of DEACTIVATING and DEPROVISIONING lasts, in ms.
    pub stopping_ms: u64,
    /// Until a new task shows in DescribeTasks and ListTasks, in ms.
    pub visible_after_ms: u64,
    /// How long a stopped task is still told of, in ms. AWS: about an hour
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>).
    pub stopped_shown_ms: u64,
    /// What the container's `stopTimeout` (30 s unless it says so) is multiplied by.
    pub stop_timeout_factor: f64,
    /// How long a client token is remembered, in ms. AWS: 24 hours
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html>).
    pub token_ms: u64,
    /// How long a client token is remembered after the last of its tasks stopped, in ms, if that is sooner. AWS: an hour.
    pub token_after_stop_ms: u64,
    /// The rates to hold callers to; none = no limits.
    pub rates: Option<Rates>,
    /// Images that cannot be pulled.
    pub unpullable_images: BTreeSet<String>,
    /// Subnets that have no address left: their tasks stop before they start.
    pub full_subnets: BTreeSet<String>,
    /// Starts that fail by nobody's fault.
    pub start_failures: StartFailures,
    /// ListTasks takes no `desiredStatus` beside `startedBy`, as its reference says
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>).
    pub strict_filters: bool,
    /// What happens to events on their way.
    pub events: EventFaults,
}

impl Default for Knobs {
    fn default() -> Knobs {
        Knobs {
            provisioning_ms: 50,
            pending_ms: 50,
            stopping_ms: 20,
            visible_after_ms: 0,
            stopped_shown_ms: 3_600_000,
            stop_timeout_factor: 1.0,
            token_ms: 24 * 3_600_000,
            token_after_stop_ms: 3_600_000,
            rates: None,
            unpullable_images: BTreeSet::new(),
            full_subnets: BTreeSet::new(),
            start_failures: StartFailures::default(),
            strict_filters: false,
            events: EventFaults::default(),
        }
    }
}

impl Knobs {
    /// How long a task is PROVISIONING.
    pub fn provisioning(&self) -> Duration {
        Duration::from_millis(self.provisioning_ms)
    }

    /// How long a task is PENDING.
    pub fn pending(&self) -> Duration {
        Duration::from_millis(self.pending_ms)
    }

    /// How long each of DEACTIVATING and DEPROVISIONING lasts.
    pub fn stopping(&self) -> Duration {
        Duration::from_millis(self.stopping_ms)
    }
}

/// What happens to events on their way. All off: in order, once each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EventFaults {
    /// The share that never arrives, 0 to 1.
    pub drop: f64,
    /// The share that arrives twice, 0 to 1.
    pub double: f64,
    /// Each is held back for a random while up to this, in ms; so they overtake each other.
    pub delay_up_to_ms: u64,
    /// Fixes the choices.
    pub seed: u64,
}
