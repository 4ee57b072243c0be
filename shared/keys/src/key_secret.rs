//! A key ring made of a generated secret: what a template can generate is text, and what rotates it is an editor.

use super::{KeyRing, KeyRingError, RingKey};
use aws_lc_rs::digest::{SHA512, digest};
use serde::Deserialize;

/// The fewest characters of a seed: of the 62 letters and digits, 43 carry 256 bits; more leave room for a poorer alphabet.
pub const MIN_SEED: usize = 64;

/// `{"seed": "…"}`, and after a rotation `{"seed": "…", "keys": [{"id": "k2", "secret": "<32 bytes, base64>"}]}`. A key with
/// `"standby": true` verifies and opens, and makes nothing yet: what it makes could not be read by those who do not know it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySecret {
    seed: String,
    /// Newest first, all of them newer than the one made of the seed.
    #[serde(default)]
    keys: Vec<Added>,
}

#[derive(Deserialize)]
struct Added {
    #[serde(flatten)]
    key: RingKey,
    #[serde(default)]
    standby: bool,
}

impl KeyRing {
    /// A ring of one key, `k1`: its 64 bytes are the SHA-512 of a random text of at least 64 characters.
    pub fn from_seed(seed: &str) -> Result<Self, KeyRingError> {
        let length = seed.chars().count();
        if length < MIN_SEED {
            let message = format!("`seed` has {length} characters; it must have {MIN_SEED} or more");
            return Err(KeyRingError::Malformed(message));
        }
        let mut bytes = [0; 64];
        bytes.copy_from_slice(digest(&SHA512, seed.as_bytes()).as_ref());
        Ok(KeyRing::from_random(&bytes))
    }

    /// Reads the secret: JSON of a `seed`, and of the `keys` that were added since, newest first. They go before the key made of
    /// the seed, which still names users, verifies and opens.
    pub fn from_secret(json: &str) -> Result<Self, KeyRingError> {
        // a message of the parser's may quote what it read
        let malformed = |e: serde_json::Error| {
            KeyRingError::Malformed(format!(
                "it is not JSON of the form `{{\"seed\": \"…\"}}` (line {}, column {})",
                e.line(),
                e.column()
            ))
        };
        let secret: KeySecret = serde_json::from_str(json).map_err(malformed)?;
        let mut ring = KeyRing::from_seed(&secret.seed)?;
        let (standby, making): (Vec<_>, Vec<_>) = secret.keys.into_iter().partition(|added| added.standby);
        ring.keys.splice(0..0, making.into_iter().map(|added| added.key));
        ring.keys.extend(standby.into_iter().map(|added| added.key));
        ring.check()?;
        for (at, key) in ring.keys.iter().enumerate() {
            if ring.keys[..at].iter().any(|other| other.id == key.id) {
                return Err(KeyRingError::Malformed(format!("two keys are called `{}`", key.id)));
            }
        }
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Use;
    use faregate_core::model::ClusterName;

    const SEED: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123";

    fn name() -> ClusterName {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    #[test]
    fn a_seed_gives_the_same_ring_everywhere_and_another_seed_another() {
        let ring = KeyRing::from_seed(SEED).unwrap();
        assert_eq!(ring, KeyRing::from_secret(&format!(r#"{{"seed": "{SEED}"}}"#)).unwrap());
        assert_eq!(ring.check(), Ok(()));
        // SHA-512 of the seed, as `sha512sum` says: its second half is the key
        let key = serde_json::to_value(&ring.keys[0]).unwrap();
        assert_eq!(key["id"], "k1");
        assert_eq!(key["secret"], "d9mLQtgdfuGmc79Mlzs1Luf11bebJPnn0AJ12N8S4YY=");
        assert_ne!(KeyRing::from_seed(&SEED.replace('0', "1")).unwrap(), ring);
    }

    #[test]
    fn a_rotated_ring_makes_with_the_newest_and_still_knows_the_oldest() {
        let old = KeyRing::from_seed(SEED).unwrap();
        let token = old.token("k1", Use::Cluster, &name()).unwrap();
        let key = |id: &str, letter: &str| format!(r#"{{"id": "{id}", "secret": "{}="}}"#, letter.repeat(43));
        let secret = format!(r#"{{"seed": "{SEED}", "keys": [{}, {}]}}"#, key("k3", "E"), key("k2", "A"));
        let new = KeyRing::from_secret(&secret).unwrap();
        assert_eq!(new.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["k3", "k2", "k1"]);
        assert_eq!(new.newest().id, "k3");
        assert!(new.verify(&token, Use::Cluster, &name()));
        assert_eq!(new.user_key("alice"), old.user_key("alice"));
    }

    #[test]
    fn a_key_on_standby_is_known_and_makes_nothing() {
        let key = format!(r#"{{"id": "k2", "secret": "{}=", "standby": true}}"#, "E".repeat(43));
        let waiting = KeyRing::from_secret(&format!(r#"{{"seed": "{SEED}", "keys": [{key}]}}"#)).unwrap();
        let making = format!(r#"{{"seed": "{SEED}", "keys": [{}]}}"#, key.replace("true", "false"));
        let making = KeyRing::from_secret(&making).unwrap();
        assert_eq!((waiting.newest().id.as_str(), making.newest().id.as_str()), ("k1", "k2"));
        // each reads what the other makes
        for (one, other) in [(&waiting, &making), (&making, &waiting)] {
            let sealed = one.seal(b"secret", &name(), [7; 12]).unwrap();
            assert_eq!(other.open(&sealed, &name()).as_deref(), Ok(&b"secret"[..]));
            let token = one.token(&one.newest().id, Use::Cluster, &name()).unwrap();
            assert!(other.verify(&token, Use::Cluster, &name()));
        }
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_named_and_not_shown() {
        let twice = format!(r#"{{"seed": "{SEED}", "keys": [{{"id": "k1", "secret": "{}="}}]}}"#, "A".repeat(43));
        let short = format!(r#"{{"seed": "{SEED}", "keys": [{{"id": "k2", "secret": "AAAA"}}]}}"#);
        for (secret, says) in [
            ("", "not JSON"),
            ("hunter2", "not JSON"),
            (r#"[7, "hunter2"]"#, "not JSON"),
            (r#"{"seed": 7, "x": "hunter2"}"#, "not JSON"),
            (r#"{"hunter2": "x"}"#, "not JSON"),
            (r#"{"seed": "hunter2"}"#, "`seed` has 7 characters; it must have 64 or more"),
            (twice.as_str(), "two keys are called `k1`"),
            (short.as_str(), "key `k2` must have 32 bytes"),
        ] {
            let error = KeyRing::from_secret(secret).unwrap_err().to_string();
            assert!(error.contains(says), "{secret}: {error}");
            assert!(!error.contains("hunter2") && !error.contains(SEED), "{error}");
        }
    }
}
