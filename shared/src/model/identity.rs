//! Who calls.

use serde::{Deserialize, Serialize};

/// What a caller may do beyond their own clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Role {
    User,
    Admin,
}

/// An authenticated user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name: see [`valid_user`].
    pub name: String,
    /// At most 20.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What they may do.
    pub role: Role,
    /// The method that authenticated them (`basic`, …).
    pub method: String,
}

/// The text cannot be a user's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a user name has 1 to 128 characters, none of them a control character")]
pub struct InvalidUser;

/// Checks a user's name: 1 to 128 characters, no control characters. Case is kept, and counts.
pub fn valid_user(name: &str) -> Result<(), InvalidUser> {
    let length = name.chars().take(129).count();
    if length == 0 || length > 128 || name.chars().any(char::is_control) { Err(InvalidUser) } else { Ok(()) }
}
