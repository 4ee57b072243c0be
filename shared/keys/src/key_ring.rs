//! The gateway's secrets: tokens are made from them, private keys sealed with them.

use aws_lc_rs::{aead, constant_time, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use faregate_core::model::{ClusterName, Sealed, UserKey, hex};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a derived token is good for. Each use gives another token, so that one never stands in for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Heartbeats, and our calls to the scheduler's API.
    Cluster,
    /// The dashboard's key, in its link.
    Dashboard,
    /// Leave to look at a dashboard, in a link that is followed once.
    Ticket,
    /// The same in a cookie, for hours.
    DashboardSession,
    /// Signing session cookies (the derived value is the JWT's key).
    Session,
}

impl Use {
    fn label(self) -> &'static str {
        match self {
            Use::Cluster => "cluster",
            Use::Dashboard => "dashboard",
            Use::Ticket => "ticket",
            Use::DashboardSession => "pass",
            Use::Session => "session",
        }
    }
}

/// One key. `Debug` shows its id alone.
#[derive(Clone, Serialize, Deserialize)]
pub struct RingKey {
    /// 1 to 16 letters and digits; travels in tokens.
    pub id: String,
    /// 32 random bytes, base64.
    secret: String,
    /// Made of the secret at the first use: every request needs it.
    #[serde(skip)]
    ready: OnceLock<Arc<Ready>>,
}

/// A key in the form in which it is used.
struct Ready {
    mac: hmac::Key,
    /// None for a secret of another length, which [`KeyRing::check`] refuses.
    cipher: Option<aead::LessSafeKey>,
}

impl RingKey {
    /// A key; whether it is well formed says [`KeyRing::check`].
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        RingKey { id: id.into(), secret: secret.into(), ready: OnceLock::new() }
    }

    fn ready(&self) -> &Ready {
        self.ready.get_or_init(|| {
            let mac = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&self.secret).unwrap_or_default());
            let sealing = hmac::sign(&mac, b"seal\0");
            let cipher = aead::UnboundKey::new(&aead::AES_256_GCM, sealing.as_ref()).ok();
            Arc::new(Ready { mac, cipher: cipher.map(aead::LessSafeKey::new) })
        })
    }
}

impl PartialEq for RingKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.secret) == (&other.id, &other.secret)
    }
}

impl Eq for RingKey {}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingKey({})", self.id)
    }
}

/// Keys, newest first: the newest makes and seals, every one verifies and opens.
///
/// `naming` gives users their partition; it must never change while records live, so it is apart from the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// The key of [`KeyRing::user_key`].
    pub naming: RingKey,
    /// The ring, newest first; never empty.
    pub keys: Vec<RingKey>,
}

/// Why a ring or a sealed secret cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyRingError {
    /// The key is not (or no longer) in the ring.
    #[error("the key ring has no key `{0}`")]
    UnknownKey(String),
    /// Not sealed by that key, or damaged.
    #[error("the secret does not open: damaged, or sealed for another cluster")]
    Damaged,
    /// The ring itself is malformed.
    #[error("the key ring is malformed: {0}")]
    Malformed(String),
}

impl KeyRing {
    /// A ring of one key, from 64 random bytes: the first half names users, the second seals and signs.
    pub fn from_random(random: &[u8; 64]) -> Self {
        let key = |id: &str, bytes: &[u8]| RingKey::new(id, STANDARD.encode(bytes));
        KeyRing { naming: key("naming", &random[..32]), keys: vec![key("k1", &random[32..])] }
    }

    /// Checks ids and key lengths: call it on every ring that was read from somewhere.
    pub fn check(&self) -> Result<(), KeyRingError> {
        if self.keys.is_empty() {
            return Err(KeyRingError::Malformed("`keys` is empty".into()));
        }
        for key in self.keys.iter().chain([&self.naming]) {
            let id_ok = (1..=16).contains(&key.id.len()) && key.id.bytes().all(|b| b.is_ascii_alphanumeric());
            let secret_ok = STANDARD.decode(&key.secret).is_ok_and(|bytes| bytes.len() == 32);
            if !id_ok || !secret_ok {
                return Err(KeyRingError::Malformed(format!("key `{}` must have 32 bytes in base64", key.id)));
            }
        }
        Ok(())
    }

    /// The same ring with one more key, which from then on makes and seals: `k2` after `k1`.
    pub fn rotated(&self, random: &[u8; 32]) -> Self {
        let number = |key: &RingKey| key.id.strip_prefix('k').and_then(|n| n.parse::<u32>().ok());
        let next = self.keys.iter().filter_map(number).max().unwrap_or(0) + 1;
        let mut ring = self.clone();
        ring.keys.insert(0, RingKey::new(format!("k{next}"), STANDARD.encode(random)));
        ring
    }

    /// The key that makes and seals.
    pub fn newest(&self) -> &RingKey {
        &self.keys[0]
    }

    fn find(&self, id: &str) -> Result<&RingKey, KeyRingError> {
        self.keys.iter().find(|k| k.id == id).ok_or_else(|| KeyRingError::UnknownKey(id.to_owned()))
    }

    /// The partition of a user's clusters.
    pub fn user_key(&self, user: &str) -> UserKey {
        UserKey::from_digest(mac(&self.naming, user.as_bytes()).as_ref())
    }

    /// The token of a cluster for one use: `<key id>-<64 hex digits>`, made with the key `key_id`.
    pub fn token(&self, key_id: &str, purpose: Use, name: &ClusterName) -> Result<String, KeyRingError> {
        Ok(format!("{key_id}-{}", self.sign(key_id, purpose, name.as_str())?))
    }

    /// A statement's signature for one use, made with the key `key_id`: 64 hex digits.
    pub(super) fn sign(&self, key_id: &str, purpose: Use, statement: &str) -> Result<String, KeyRingError> {
        Ok(hex(derive(self.find(key_id)?, purpose, statement).as_ref()))
    }

    /// Is this the cluster's token for that use, made with any key of the ring? Constant time in the token.
    pub fn verify(&self, token: &str, purpose: Use, name: &ClusterName) -> bool {
        let Some((id, _)) = token.split_once('-') else { return false };
        self.token(id, purpose, name)
            .is_ok_and(|right| constant_time::verify_slices_are_equal(right.as_bytes(), token.as_bytes()).is_ok())
    }

    /// What opens the dashboards of a cluster: the key of each token that it may have, as it is not known here with which key of the ring it
    /// was made; separated by commas.
    pub fn dashboard_keys(&self, name: &ClusterName) -> String {
        let token = |key: &RingKey| format!("{}-{}", key.id, hex(derive(key, Use::Cluster, name.as_str()).as_ref()));
        let keys: Vec<String> = self.keys.iter().map(|key| dashboard_key(&token(key))).collect();
        keys.join(",")
    }

    /// The key that signs session cookies with the ring's key `key_id` (32 bytes).
    pub fn session_key(&self, key_id: &str) -> Result<Vec<u8>, KeyRingError> {
        Ok(derive(self.find(key_id)?, Use::Session, "").as_ref().to_vec())
    }

    /// Seals a cluster's secret. `nonce` must be random.
    pub fn seal(&self, secret: &[u8], name: &ClusterName, nonce: [u8; 12]) -> Result<Sealed, KeyRingError> {
        let key = self.newest();
        let mut data = secret.to_vec();
        cipher(key)?
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(name.as_str().as_bytes()),
                &mut data,
            )
            .map_err(|_| KeyRingError::Damaged)?;
        let data = STANDARD.encode([&nonce[..], &data].concat());
        Ok(Sealed { key_id: key.id.clone(), data })
    }

    /// Opens what [`KeyRing::seal`] sealed for the same cluster.
    pub fn open(&self, sealed: &Sealed, name: &ClusterName) -> Result<Vec<u8>, KeyRingError> {
        let key = self.find(&sealed.key_id)?;
        let bytes = STANDARD.decode(&sealed.data).map_err(|_| KeyRingError::Damaged)?;
        let (nonce, data) = bytes.split_at_checked(12).ok_or(KeyRingError::Damaged)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyRingError::Damaged)?;
        let mut data = data.to_vec();
        let open = cipher(key)?
            .open_in_place(nonce, aead::Aad::from(name.as_str().as_bytes()), &mut data)
            .map_err(|_| KeyRingError::Damaged)?;
        Ok(open.to_vec())
    }
}

/// What the HTTP servers of a cluster's tasks ask for: HMAC(the cluster's token, `dashboard`) in hex. The tasks make it from their token
/// themselves, and nobody who is shown it learns the token.
pub fn dashboard_key(token: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()), b"dashboard").as_ref())
}

fn mac(key: &RingKey, data: &[u8]) -> hmac::Tag {
    hmac::sign(&key.ready().mac, data)
}

/// HMAC(key, use ‖ 0 ‖ subject).
fn derive(key: &RingKey, purpose: Use, subject: &str) -> hmac::Tag {
    mac(key, &[purpose.label().as_bytes(), b"\0", subject.as_bytes()].concat())
}

fn cipher(key: &RingKey) -> Result<&aead::LessSafeKey, KeyRingError> {
    key.ready().cipher.as_ref().ok_or_else(|| KeyRingError::Malformed(format!("key `{}`", key.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        KeyRing::from_random(&std::array::from_fn(|i| i as u8))
    }

    fn name() -> ClusterName {
        "0123456789abcdef0123456789abcdef".parse().expect("a name")
    }

    #[test]
    fn a_token_is_good_for_one_use_of_one_cluster() {
        let (ring, name) = (ring(), name());
        let token = ring.token("k1", Use::Cluster, &name).expect("a token");
        let other: ClusterName = "f".repeat(32).parse().expect("a name");
        assert!(ring.verify(&token, Use::Cluster, &name));
        assert!(!ring.verify(&token, Use::Dashboard, &name));
        assert!(!ring.verify(&token, Use::Cluster, &other));
        assert!(!ring.verify(&token[..token.len() - 1], Use::Cluster, &name));
        assert!(!ring.verify("", Use::Cluster, &name));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    }

    #[test]
    fn an_older_key_still_verifies_and_opens_and_the_newest_makes() {
        let (old, name) = (ring(), name());
        let token = old.token("k1", Use::Cluster, &name).expect("a token");
        let sealed = old.seal(b"secret", &name, [7; 12]).expect("sealed");
        let mut new = old.rotated(&[9; 32]);
        assert_eq!(new.check(), Ok(()));
        assert!(new.verify(&token, Use::Cluster, &name));
        assert_eq!(new.open(&sealed, &name).as_deref(), Ok(&b"secret"[..]));
        assert_eq!(new.seal(b"x", &name, [8; 12]).expect("sealed").key_id, "k2");
        assert_eq!(new.user_key("alice"), old.user_key("alice"));
        new.keys.truncate(1);
        assert!(!new.verify(&token, Use::Cluster, &name));
        assert_eq!(new.open(&sealed, &name), Err(KeyRingError::UnknownKey("k1".into())));
    }

    #[test]
    fn a_dashboard_opens_to_the_keys_of_every_token_that_its_cluster_may_have() {
        let (old, name) = (ring(), name());
        let token = old.token("k1", Use::Cluster, &name).expect("a token");
        assert_eq!(old.dashboard_keys(&name), dashboard_key(&token));
        let new = old.rotated(&[9; 32]);
        let newest = dashboard_key(&new.token("k2", Use::Cluster, &name).expect("a token"));
        assert_eq!(new.dashboard_keys(&name), format!("{newest},{}", dashboard_key(&token)));
        // as Python has it: hmac.new(b"k1-token", b"dashboard", "sha256").hexdigest()
        assert_eq!(dashboard_key("k1-token"), "55439dd529a388b3b9266b33d48ae0096db467dd2cd6de74706a19bf13dacf57");
    }

    #[test]
    fn a_secret_sealed_for_one_cluster_does_not_open_for_another() {
        let ring = ring();
        let sealed = ring.seal(b"secret", &name(), [7; 12]).expect("sealed");
        let other = "f".repeat(32).parse().expect("a name");
        assert_eq!(ring.open(&sealed, &other), Err(KeyRingError::Damaged));
    }

    #[test]
    fn a_malformed_ring_is_named() {
        let mut ring = ring();
        ring.keys[0].secret = "short".into();
        assert!(matches!(ring.check(), Err(KeyRingError::Malformed(_))));
        ring.keys.clear();
        assert!(ring.check().is_err());
    }
}
