//! Who calls.

use super::TokenScope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

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
    /// The name: see [`user_name`].
    pub name: String,
    /// At most 20.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What they may do.
    pub role: Role,
    /// The method that authenticated them (`basic`, …).
    pub method: String,
    /// The machine token they came with, and what it lets them do; none = a person, who may do everything a user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenUse>,
}

/// A machine token in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// The token's id.
    pub id: String,
    /// What it is good for.
    pub scopes: BTreeSet<TokenScope>,
}

impl TokenUse {
    /// Is it good for this? `create` is good for `connect` too: code runs with either.
    pub fn allows(&self, scope: TokenScope) -> bool {
        self.scopes.contains(&scope) || (scope == TokenScope::Connect && self.scopes.contains(&TokenScope::Create))
    }
}

impl Identity {
    /// May they do what this scope names? A person may.
    pub fn allows(&self, scope: TokenScope) -> bool {
        self.token.as_ref().is_none_or(|token| token.allows(scope))
    }
}

/// The text cannot be a user's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a user name has 1 to 128 characters, none of them a control character, and no blanks around it")]
pub struct InvalidUser;

/// Checks a user's name: 1 to 128 characters, no control characters, no blanks around it (nobody sees them, and limits are found by the
/// name). Case is kept, and counts.
pub fn valid_user(name: &str) -> Result<(), InvalidUser> {
    let length = name.chars().take(129).count();
    let bad = length == 0 || length > 128 || name.chars().any(char::is_control) || name.trim() != name;
    if bad { Err(InvalidUser) } else { Ok(()) }
}

/// The one form of a user's name, whoever says it and however it is typed: Unicode's normal form C (UAX #15). Case is kept, and counts.
pub fn user_name(name: &str) -> Result<String, InvalidUser> {
    // composed text is never longer than three times what it was made of: what is far too long need not be composed
    if name.len() > 4 * 3 * 128 {
        return Err(InvalidUser);
    }
    let name = match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => name.to_owned(),
        IsNormalized::No | IsNormalized::Maybe => name.nfc().collect(),
    };
    valid_user(&name).map(|()| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form() {
        assert_eq!(user_name("andre\u{301}").unwrap(), "andr\u{e9}");
        assert_eq!(user_name("andr\u{e9}").unwrap(), "andr\u{e9}");
        assert_ne!(user_name("Alice").unwrap(), user_name("alice").unwrap(), "case counts");
        assert_eq!(user_name(&"e\u{301}".repeat(128)).unwrap().chars().count(), 128, "counted as composed");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for bad in ["", " ", "lou ", "\u{a0}lou", "a\nb", "a\0", "\u{85}", &"a".repeat(129), &"\u{301}".repeat(2000)] {
            assert_eq!(user_name(bad), Err(InvalidUser), "{bad:?}");
        }
    }
}
