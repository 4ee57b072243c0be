//! Who may enter, as it is kept: passwords and machine tokens, both only as hashes; and what may be used but once.

use super::Ms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A user who signs in with a password of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The user.
    pub name: String,
    /// The password's hash, as a PHC string (`$argon2id$…`); none = the user was removed.
    pub password: Option<String>,
    /// When the password was last set, or the user removed.
    pub changed_at: Ms,
    /// When a removed user's record may be forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Ms>,
}

/// What the name of a token's own group begins with.
const OWN_GROUP: &str = "token:";

/// What the holder of a machine token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// Start clusters, and scale and extend them; whoever starts one may also connect to it.
    Create,
    /// See clusters, options, limits and usage, and none of the secrets that let anybody in to a cluster.
    Read,
    /// Get a cluster's key, with which code runs in it, and the way in to its dashboard.
    Connect,
    /// Stop clusters.
    Stop,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [TokenScope; 4] = [TokenScope::Create, TokenScope::Read, TokenScope::Connect, TokenScope::Stop];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            TokenScope::Create => "create",
            TokenScope::Read => "read",
            TokenScope::Connect => "connect",
            TokenScope::Stop => "stop",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        TokenScope::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A token for programs. Its text was shown once, and is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineToken {
    /// 16 hex digits, the part of the text that is no secret.
    pub id: String,
    /// Whose clusters it starts, sees and stops.
    pub user: String,
    /// What it is called.
    pub name: String,
    /// The user's groups when it was made, and `token:<id>`, whose limits are the token's own.
    pub groups: Vec<String>,
    /// What it is good for.
    pub scopes: BTreeSet<TokenScope>,
    /// SHA-256 of its secret, in hex: a secret of 256 random bits needs no slow hash.
    pub hash: String,
    /// When it was made.
    pub created_at: Ms,
    /// By whom: the user, or an admin.
    pub created_by: String,
    /// From when on it is no longer good.
    pub valid_until: Ms,
    /// Since when it is no longer good.
    pub revoked_at: Option<Ms>,
    /// When it was last seen, give or take some minutes.
    pub last_used_at: Option<Ms>,
    /// When its record may be forgotten: some time after it was good.
    pub expires_at: Option<Ms>,
}

impl MachineToken {
    /// The group that it is in alone: limits on its totals are the token's own.
    pub fn own_group(id: &str) -> String {
        format!("{OWN_GROUP}{id}")
    }

    /// The token whose own group this would be. No group that comes from elsewhere may be called so: its members would count as that
    /// token's, under its limits, and be stopped with it.
    pub fn of_group(group: &str) -> Option<&str> {
        group.strip_prefix(OWN_GROUP)
    }

    /// Is it good?
    pub fn is_valid(&self, now: Ms) -> bool {
        self.revoked_at.is_none() && now < self.valid_until
    }
}

/// Something that may be used once, and was: a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// What: a digest of it.
    pub what: String,
    /// When it can no longer be used anyway.
    pub expires_at: Ms,
}
