//! The cluster's record.

use super::{Activity, ClusterConfig, ClusterName, Counts, Ms, Reason, Scope, Sealed};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Where a cluster is in its life, in the official server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Status {
    Pending,
    Running,
    Stopping,
    Stopped,
    Failed,
}

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: [Status; 5] = [Status::Pending, Status::Running, Status::Stopping, Status::Stopped, Status::Failed];

    /// PENDING or RUNNING: what a list shows by default.
    pub fn is_active(self) -> bool {
        matches!(self, Status::Pending | Status::Running)
    }

    /// STOPPED or FAILED.
    pub fn is_ended(self) -> bool {
        matches!(self, Status::Stopped | Status::Failed)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "PENDING",
            Status::Running => "RUNNING",
            Status::Stopping => "STOPPING",
            Status::Stopped => "STOPPED",
            Status::Failed => "FAILED",
        }
    }
}

/// Where the scheduler's three servers listen. Published only once they are known to be the scheduler's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Comm port (TLS).
    pub scheduler: SocketAddr,
    /// Dashboard (HTTP); none when the scheduler runs without one.
    pub dashboard: Option<SocketAddr>,
    /// `dask_gateway.scheduler_preload`'s API (HTTP).
    pub api: SocketAddr,
}

/// What a cluster reserves of limits, and under which keys: written at creation, so that it is given back under the same keys
/// whatever its user's groups are by then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The user's key, then one for each group.
    pub keys: Vec<Scope>,
    /// What is counted under each of them: the cluster itself until it is at rest, and its workers.
    #[serde(default)]
    pub counts: Counts,
}

/// A limit was lowered under what the cluster has: its workers are to become fewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shrink {
    /// So many workers may stay.
    pub keep: u32,
    /// The cluster itself is to end.
    pub end: bool,
    /// When this was found: the scheduler has a while to retire workers, then the newest are stopped.
    pub since: Ms,
    /// The limit.
    pub reason: Reason,
}

/// What of the cluster is being billed, as the pass can add it up without reading its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Schedulers that run, and the sum of the moments since when they are billed.
    pub schedulers: (i64, Ms),
    /// The same for workers on demand.
    pub workers: (i64, Ms),
    /// The same for workers on Spot.
    pub spot_workers: (i64, Ms),
}

/// One cluster. Everything that was ever decided about it as a whole is here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// Its owner.
    pub user: String,
    /// The owner's groups when it was created.
    pub groups: Vec<String>,
    /// The user's options, normalised (select keys, not their values).
    pub options: serde_json::Map<String, serde_json::Value>,
    /// What the options came to.
    pub config: ClusterConfig,
    /// Where it is.
    pub status: Status,
    /// Where it shall get to: RUNNING, STOPPED or FAILED.
    pub target: Status,
    /// Wanted workers, as the scheduler last said.
    pub count: u32,
    /// The scheduler's addresses, verified.
    pub addresses: Option<Addresses>,
    /// When it was created.
    pub created_at: Ms,
    /// When it became RUNNING.
    pub running_at: Option<Ms>,
    /// When it was asked to stop, or failed.
    pub stopping_at: Option<Ms>,
    /// When it was at rest.
    pub stopped_at: Option<Ms>,
    /// Why it ended (or is ending).
    pub reason: Option<Reason>,
    /// What it waits for, while it waits.
    pub waiting: Option<Reason>,
    /// When somebody must look at it again; none when nothing is awaited.
    pub due_at: Option<Ms>,
    /// No launch before this moment (back-off after a refusal or a failed start).
    pub next_try: Option<Ms>,
    /// The place (of those the launcher has) for new launches: the next one, after one had no capacity or no address.
    #[serde(default)]
    pub place: u32,
    /// No launch on Spot capacity before this moment.
    #[serde(default)]
    pub spot_after: Option<Ms>,
    /// Launches made so far; the next one's id is made of it.
    pub launches: u32,
    /// Schedulers that failed to start.
    pub scheduler_failures: u32,
    /// Workers that failed to start since one last succeeded.
    pub worker_failures: u32,
    /// A worker of it has connected: what its workers are made of works, so failed starts do not end it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub worker_connected: bool,
    /// Health questions its scheduler left unanswered, in a row, while its heartbeat was overdue.
    pub unanswered: u32,
    /// When its scheduler was last heard of again after it had left questions unanswered: what waited for it connects after that.
    #[serde(default)]
    pub answered_at: Option<Ms>,
    /// The pass doubts that its scheduler lives: the reconciler is to ask the launcher.
    pub suspect: bool,
    /// What the launcher said last of the process of a scheduler that leaves questions unanswered, where it can tell.
    #[serde(default)]
    pub scheduler_activity: Option<Activity>,
    /// How its last worker failed to start, until one succeeds.
    #[serde(default)]
    pub start_failure: Option<Reason>,
    /// What is reserved for it.
    #[serde(rename = "charged")]
    pub reserved: Reserved,
    /// What of it is being billed.
    #[serde(default)]
    pub meter: Meter,
    /// It has more than a limit allows since that was lowered.
    #[serde(default)]
    pub shrink: Option<Shrink>,
    /// Until when its owner asked for it to live; none = as long as its configuration says.
    #[serde(default)]
    pub extended_until: Option<Ms>,
    /// When its owner last listed it, asked about it or scaled it, to within a minute; none = not since it was created. Not kept up once
    /// it is [`Cluster::claimed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Ms>,
    /// Its scheduler has said that a client connected to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
    /// When what its scheduler runs on is renewed, which ends it, in the words of whoever announced that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_retires: Option<String>,
    /// What its users have been warned of, one of each code.
    #[serde(default)]
    pub warnings: Vec<Reason>,
    /// Its owner may no longer come in: the proxy lets no new connection through to it.
    #[serde(default)]
    pub closed: bool,
    /// The proxy is to be told of `closed` again: it has changed.
    #[serde(default)]
    pub reroute: bool,
    /// Listed in the index of the active: until every launch is resolved, every task is at rest, and no call of ours can land
    /// any more.
    pub active: bool,
    /// Its certificate: self-signed, at once authority, server and client certificate. PEM.
    pub tls_cert: String,
    /// The certificate's private key (PEM), sealed.
    pub tls_key: Sealed,
    /// The id of the ring key its token and dashboard key are made with.
    pub key_id: String,
    /// When the record may be forgotten (set when it is at rest).
    pub expires_at: Option<Ms>,
}

impl Cluster {
    /// A cluster as it is when it is created: PENDING, wanted, counted for its user and each of their groups, with default
    /// configuration and no options.
    pub fn new(name: ClusterName, user: &str, groups: &[String], tls_cert: String, tls_key: Sealed, now: Ms) -> Self {
        let mut keys = vec![Scope::User(user.to_owned())];
        keys.extend(groups.iter().cloned().map(Scope::Group));
        Cluster {
            name,
            user: user.to_owned(),
            groups: groups.to_vec(),
            options: serde_json::Map::new(),
            config: ClusterConfig::default(),
            status: Status::Pending,
            target: Status::Running,
            count: 0,
            addresses: None,
            created_at: now,
            running_at: None,
            stopping_at: None,
            stopped_at: None,
            reason: None,
            waiting: None,
            due_at: Some(now),
            next_try: None,
            place: 0,
            spot_after: None,
            launches: 0,
            scheduler_failures: 0,
            worker_failures: 0,
            worker_connected: false,
            unanswered: 0,
            answered_at: None,
            suspect: false,
            scheduler_activity: None,
            start_failure: None,
            reserved: Reserved { keys, counts: Counts::CLUSTER },
            meter: Meter::default(),
            shrink: None,
            extended_until: None,
            scheduler_retires: None,
            asked_at: None,
            claimed: false,
            warnings: Vec::new(),
            closed: false,
            reroute: false,
            active: true,
            tls_cert,
            key_id: tls_key.key_id.clone(),
            tls_key,
            expires_at: None,
        }
    }

    /// Shuts its owner out, or lets them in again. The reconciler sees to the rest.
    pub fn close(&mut self, closed: bool, now: Ms) {
        self.closed = closed;
        self.reroute = true;
        self.due_at = Some(now);
    }

    /// Does it still want its tasks?
    pub fn wants_to_run(&self) -> bool {
        self.target == Status::Running
    }

    /// Turns it towards its end, unless it is on the way already.
    pub fn end(&mut self, target: Status, reason: Reason, now: Ms) {
        if self.wants_to_run() {
            self.target = target;
            self.status = Status::Stopping;
            self.reason = Some(reason);
            self.waiting = None;
            self.stopping_at = Some(now);
            self.due_at = Some(now);
        }
    }
}
