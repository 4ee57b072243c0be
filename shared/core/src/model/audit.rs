//! What admins did.

use super::Ms;
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
