//! A cluster's name: 32 lower-case hex digits that carry its owner's key and its age.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The partition that holds all clusters of one user: 12 hex digits of a keyed hash of the user's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserKey(String);

impl UserKey {
    /// From the digest of a user's name (the key ring makes it); its first six bytes count.
    pub fn from_digest(digest: &[u8]) -> Self {
        UserKey(hex(&digest[..6]))
    }

    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 32 hex digits: 12 of the owner's [`UserKey`], 11 of the time of creation in milliseconds, 9 random.
///
/// Within a user's partition names sort by age, so a list of them is one query, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

/// The text is no cluster name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a cluster name is 32 lower-case hexadecimal digits")]
pub struct InvalidName;

impl ClusterName {
    /// A new name. `now_ms` keeps its lowest 44 bits (good until the year 2527), `random` its lowest 36.
    pub fn mint(user: &UserKey, now_ms: super::Ms, random: u64) -> Self {
        let time = (now_ms as u64) & 0xFFF_FFFF_FFFF;
        let random = random & 0xF_FFFF_FFFF;
        ClusterName(format!("{}{time:011x}{random:09x}", user.0))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition it is stored in.
    pub fn user_key(&self) -> UserKey {
        UserKey(self.0[..12].to_owned())
    }
}

impl TryFrom<String> for ClusterName {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 32 && text.bytes().all(digit) { Ok(ClusterName(text)) } else { Err(InvalidName) }
    }
}

impl std::str::FromStr for ClusterName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        ClusterName::try_from(text.to_owned())
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> String {
        name.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_user_sort_by_age_and_share_a_partition() {
        let user = UserKey::from_digest(&[0xab; 32]);
        let old = ClusterName::mint(&user, 1_000, u64::MAX);
        let young = ClusterName::mint(&user, 1_001, 0);
        assert!(old < young);
        assert_eq!(old.user_key(), young.user_key());
        assert_eq!(old.as_str().len(), 32);
        assert_eq!(old.as_str().parse(), Ok(old.clone()));
    }

    #[test]
    fn anything_else_is_no_name() {
        for text in ["", "abc", &"A".repeat(32), &"0".repeat(33), &"../".repeat(11)[..32], "é".repeat(16).as_str()] {
            assert_eq!(text.parse::<ClusterName>(), Err(InvalidName), "{text}");
        }
    }
}
