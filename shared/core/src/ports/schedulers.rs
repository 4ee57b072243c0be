//! The schedulers' own HTTP APIs. Called only at addresses that are known to be the scheduler's.

use crate::model::ClusterName;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// What to ask a scheduler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Question {
    /// `GET <api>/api/health`: does it answer at all?
    Health,
    /// `POST <api>/api/comm`: scale to so many workers.
    Scale {
        /// Wanted workers.
        count: u32,
    },
    /// `POST <api>/api/comm`: adapt between bounds.
    Adapt {
        /// Fewest workers.
        minimum: Option<u32>,
        /// Most workers.
        maximum: Option<u32>,
        /// Start (or stop) adapting.
        active: bool,
    },
    /// `GET <dashboard>/faregate/idle`, the handler our preload adds: for how long has it been idle?
    Idle,
    /// `POST <dashboard>/faregate/workers`: which of these has it ever seen?
    Workers {
        /// Workers' names.
        names: BTreeSet<String>,
    },
    /// `POST <dashboard>/faregate/retire`: keep so many workers, and let the others go in peace.
    Retire {
        /// Workers that may stay.
        keep: u32,
    },
    /// `POST <dashboard>/faregate/warn`: show every connected client a warning.
    Warn {
        /// The sentence.
        message: String,
    },
}

impl Question {
    /// Does a user wait for its answer? The others are the enforcement's.
    pub fn is_users(&self) -> bool {
        matches!(self, Question::Scale { .. } | Question::Adapt { .. })
    }

    /// Is it one for our preload on the dashboard's port, not for the API?
    pub fn is_for_dashboard(&self) -> bool {
        matches!(self, Question::Idle | Question::Workers { .. } | Question::Retire { .. } | Question::Warn { .. })
    }
}

/// One question to one scheduler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Whose scheduler.
    pub cluster: ClusterName,
    /// Where: the API's address, the dashboard's where [`Question::is_for_dashboard`] says so.
    pub address: SocketAddr,
    /// The cluster's token.
    pub token: String,
    /// What.
    pub question: Question,
}

/// What a scheduler answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Healthy; or the request was accepted.
    Ok,
    /// How it stands with idleness.
    Idle(Idleness),
    /// Those that the scheduler has seen, of the workers asked about.
    Workers(BTreeSet<String>),
}

/// Distributed's own `Scheduler.check_idle`, and a few counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Idleness {
    /// Milliseconds since it became idle; none while it is not.
    pub idle_ms: Option<i64>,
    /// Connected clients, without the scheduler's internal ones.
    pub clients: u32,
    /// Milliseconds since the last client left (or since the scheduler started); none while one is connected.
    #[serde(default)]
    pub clientless_ms: Option<i64>,
    /// Connected workers.
    pub workers: u32,
    /// No client has ever connected. A scheduler of an older gateway does not say so.
    #[serde(default)]
    pub unclaimed: bool,
}

/// No usable answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchedulerError {
    /// The scheduler itself did not answer: refused, reset, or out of time.
    #[error("the scheduler did not answer: {0}")]
    Unanswered(String),
    /// It answered, but not what was asked: an HTTP status, or a body that makes no sense.
    #[error("the scheduler's answer makes no sense: {0}")]
    Nonsense(String),
    /// It could not be asked: an error of our own way to it.
    #[error("the scheduler could not be asked: {0}")]
    Relay(String),
}

/// The way to the schedulers.
#[async_trait]
pub trait Schedulers: Send + Sync {
    /// Asks many at once (up to a hundred); the answers are in the order of the questions. Each has a few seconds.
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>>;
}
