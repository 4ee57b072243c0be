//! The issuer's keys as it publishes them (RFC 7517), and which one a token is to be checked with.

use crate::AuthError;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The keys that can be used.
#[derive(Default)]
pub struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    /// It is good for these alone.
    algorithms: Vec<Algorithm>,
    key: Arc<DecodingKey>,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads what was published. A key that is of no use here (another kind, another purpose, broken) is as if it were not there.
    pub fn read(body: &[u8]) -> Result<KeySet, String> {
        let published: Published = serde_json::from_slice(body).map_err(|error| format!("no key set: {error}"))?;
        let keys = published.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.usable());
        let keys: Vec<Key> = keys.collect();
        if keys.is_empty() { Err("a key set without a key that can be used".into()) } else { Ok(KeySet(keys)) }
    }

    /// The key of this id, for this algorithm; or why it is not to be had. None = there is no such key.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Result<Arc<DecodingKey>, AuthError>> {
        let suits = |key: &&Key| key.algorithms.contains(&algorithm);
        let named = self.0.iter().filter(|key| id.is_none() || key.id.as_deref() == id);
        let mut suitable = named.clone().filter(suits);
        match (suitable.next(), suitable.next()) {
            (Some(_), Some(_)) if id.is_none() => {
                Some(Err(AuthError::denied("the token names no key, and there are several")))
            }
            (Some(key), _) => Some(Ok(key.key.clone())),
            (None, _) => {
                named.clone().next().map(|_| Err(AuthError::denied("the token's key is not for its algorithm")))
            }
        }
    }
}

impl Jwk {
    fn usable(self) -> Option<Key> {
        let verifies = self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        if self.used_for.as_deref().is_some_and(|used_for| used_for != "sig") || !verifies {
            return None;
        }
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let x = || self.x.as_deref().filter(|x| !x.is_empty());
        let (kind, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let key = DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?);
                (&[RS256, RS384, RS512, PS256, PS384, PS512][..], key)
            }
            ("EC", Some("P-256")) => (&[ES256][..], DecodingKey::from_ec_components(x()?, self.y.as_deref()?)),
            ("EC", Some("P-384")) => (&[ES384][..], DecodingKey::from_ec_components(x()?, self.y.as_deref()?)),
            ("OKP", Some("Ed25519")) => (&[EdDSA][..], DecodingKey::from_ed_components(x()?)),
            _ => return None,
        };
        let only = |one: &Algorithm| self.alg.as_ref().is_none_or(|alg| *alg == format!("{one:?}"));
        let algorithms: Vec<_> = kind.iter().copied().filter(only).collect();
        if algorithms.is_empty() {
            return None;
        }
        Some(Key { id: self.kid, algorithms, key: Arc::new(key.ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(keys: Value) -> Result<KeySet, String> {
        KeySet::read(json!({"keys": keys}).to_string().as_bytes())
    }

    fn rsa(more: Value) -> Value {
        let mut key = json!({"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"});
        more.as_object().unwrap().iter().for_each(|(name, value)| key[name] = value.clone());
        key
    }

    #[test]
    fn a_key_is_good_for_its_kind_and_for_what_it_says() {
        let of = |key: Value, algorithm| {
            set(json!([key])).ok().and_then(|set| set.find(Some("1"), algorithm)).is_some_and(|found| found.is_ok())
        };
        assert!(of(rsa(json!({})), Algorithm::RS256));
        assert!(of(rsa(json!({})), Algorithm::PS512));
        assert!(of(rsa(json!({"alg": "RS256", "use": "sig", "key_ops": ["verify"]})), Algorithm::RS256));
        assert!(of(json!({"kty": "EC", "kid": "1", "crv": "P-256", "x": "AA", "y": "AA"}), Algorithm::ES256));
        for (key, algorithm) in [
            (rsa(json!({})), Algorithm::HS256),
            (rsa(json!({})), Algorithm::ES256),
            (rsa(json!({"alg": "RS512"})), Algorithm::RS256),
            (rsa(json!({"alg": "RSA-OAEP"})), Algorithm::RS256),
            (rsa(json!({"alg": "HS256"})), Algorithm::HS256),
            (rsa(json!({"use": "enc"})), Algorithm::RS256),
            (rsa(json!({"key_ops": ["encrypt"]})), Algorithm::RS256),
            (rsa(json!({"n": "***"})), Algorithm::RS256),
            (rsa(json!({"n": 7})), Algorithm::RS256),
            (json!({"kty": "RSA", "kid": "1"}), Algorithm::RS256),
            (json!({"kty": "oct", "kid": "1", "k": "c2VjcmV0"}), Algorithm::HS256),
            (json!({"kty": "EC", "kid": "1", "crv": "P-384", "x": "AA", "y": "AA"}), Algorithm::ES256),
            (json!({"kty": "EC", "kid": "1", "crv": "secp256k1", "x": "AA", "y": "AA"}), Algorithm::ES256),
            (json!({"kty": "OKP", "kid": "1", "crv": "X25519", "x": "AA"}), Algorithm::EdDSA),
        ] {
            assert!(!of(key.clone(), algorithm), "{key} {algorithm:?}");
        }
    }

    #[test]
    fn a_key_of_no_use_does_not_spoil_the_others() {
        let others = json!([rsa(json!({"kid": "enc", "use": "enc"})), {"kty": "AKP"}, "x", null, rsa(json!({}))]);
        assert!(set(others).unwrap().find(Some("1"), Algorithm::RS256).is_some());
    }

    #[test]
    fn a_token_that_names_no_key_is_checked_with_the_only_one() {
        let one = set(json!([rsa(json!({}))])).unwrap();
        assert!(one.find(None, Algorithm::RS256).unwrap().is_ok());
        let two = set(json!([rsa(json!({})), rsa(json!({"kid": "2"}))])).unwrap();
        assert!(two.find(None, Algorithm::RS256).unwrap().is_err());
        assert!(two.find(Some("2"), Algorithm::RS256).unwrap().is_ok());
        assert!(two.find(Some("3"), Algorithm::RS256).is_none());
    }

    #[test]
    fn what_is_no_key_set_is_an_error() {
        for bad in
            ["", "{}", "[]", "<html>", r#"{"keys":{}}"#, r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#]
        {
            assert!(KeySet::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
