//! Passwords that were right a while ago: those who send theirs with every request have it hashed now and then only.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use faregate_core::model::{Ms, Version};
use quick_cache::sync::Cache;

/// How long a password that was right is known as such, while its account stays as it is.
const KNOWN_MS: Ms = 10 * 60_000;
/// Users kept in mind.
const MOST: usize = 4_096;

/// Right passwords, under a key that this process alone has and never writes: no hash to be kept for longer, and of no use elsewhere.
pub(super) struct Verified {
    key: Key,
    known: Cache<String, Known>,
}

#[derive(Clone)]
struct Known {
    code: Vec<u8>,
    version: Version,
    at: Ms,
}

impl Verified {
    /// With a key of these random numbers.
    pub fn new(random: &[u64; 4]) -> Self {
        let bytes: Vec<u8> = random.iter().flat_map(|word| word.to_le_bytes()).collect();
        Verified { key: Key::new(HMAC_SHA256, &bytes), known: Cache::new(MOST) }
    }

    /// Was this the user's password, at this version of their account?
    pub fn knows(&self, user: &str, password: &str, version: Version, now: Ms) -> bool {
        self.known.get(user).is_some_and(|known| {
            known.version == version
                && (0..KNOWN_MS).contains(&(now - known.at))
                && verify(&self.key, password.as_bytes(), &known.code).is_ok()
        })
    }

    /// It was.
    pub fn learn(&self, user: &str, password: &str, version: Version, now: Ms) {
        let code = sign(&self.key, password.as_bytes()).as_ref().to_vec();
        self.known.insert(user.to_owned(), Known { code, version, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_password_is_known_for_a_while_and_for_its_account_as_it_was() {
        let verified = Verified::new(&[1, 2, 3, 4]);
        assert!(!verified.knows("alice", "secret", 1, 1_000));
        verified.learn("alice", "secret", 1, 1_000);
        assert!(verified.knows("alice", "secret", 1, 1_000 + KNOWN_MS - 1));
        for (user, password, version, now) in [
            ("alice", "secret ", 1, 1_000),
            ("alice", "", 1, 1_000),
            ("bob", "secret", 1, 1_000),
            ("alice", "secret", 2, 1_000),
            ("alice", "secret", 1, 1_000 + KNOWN_MS),
            ("alice", "secret", 1, 999),
        ] {
            assert!(!verified.knows(user, password, version, now), "{user} {password} {version} {now}");
        }
    }
}
