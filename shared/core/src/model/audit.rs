//! What admins did.

use super::Ms;
use crate::ports::Host;
use serde::{Deserialize, Serialize};

/// One admin's action: written before it is carried out, and never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// When.
    pub at: Ms,
    /// Told from others of the same moment by this.
    pub id: String,
    /// Who: a user's name, or `command line: <system user>`.
    pub who: String,
    /// What: `freeze`, `stop-cluster`, `set-limits` …
    pub action: String,
    /// To whom or what: a scope, or a cluster's name.
    pub target: String,
    /// The particulars: the fields set, for instance.
    #[serde(default)]
    pub details: serde_json::Value,
    /// Why, in the admin's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Audit {
    /// Its place within its month: in the order of time.
    pub fn sort_key(&self) -> String {
        format!("{:013}#{}", self.at, self.id)
    }

    /// Can this be a [`Audit::sort_key`]?
    pub fn is_sort_key(text: &str) -> bool {
        let at = text.split_once('#').map(|(at, _)| at);
        at.is_some_and(|at| at.len() == 13 && at.bytes().all(|b| b.is_ascii_digit()))
    }
}

/// Longest `why`, in characters: as long as the sentence of a freeze.
const LONGEST_WHY: usize = 500;

/// Who acts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    who: String,
    why: Option<String>,
}

/// No reason can be so.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`why` must be a sentence of 1 to {LONGEST_WHY} characters")]
pub struct InvalidWhy;

impl Act {
    /// Somebody's action. `why` is optional, but not empty and not long.
    pub fn new(who: impl Into<String>, why: Option<&str>) -> Result<Self, InvalidWhy> {
        let why = why.map(str::trim);
        if why.is_some_and(|why| why.is_empty() || why.chars().count() > LONGEST_WHY) {
            return Err(InvalidWhy);
        }
        Ok(Act { who: who.into(), why: why.map(str::to_owned) })
    }

    /// Who acts.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Why, where they say so.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// What is written down before it is carried out.
    pub fn audit(&self, host: &dyn Host, action: &str, target: String, details: serde_json::Value) -> Audit {
        Audit {
            at: host.now(),
            id: format!("{:016x}", host.random()),
            who: self.who.clone(),
            action: action.to_owned(),
            target,
            details,
            why: self.why.clone(),
        }
    }
}
