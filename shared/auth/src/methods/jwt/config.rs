//! `[auth.jwt]`.

use crate::{AuthConfigError, web};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;

/// Algorithms with a public key: what is signed with a shared secret is never taken.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The longest leeway, in seconds.
const LONGEST_LEEWAY: u32 = 600;

/// Whose tokens are taken, and what of them counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who issues them: what `iss` says, to the letter.
    pub issuer: String,
    /// For whom: one of these must be in `aud`.
    #[serde(deserialize_with = "one_or_many")]
    pub audience: BTreeSet<String>,
    /// Where the issuer's keys are; none = where its `/.well-known/openid-configuration` says.
    pub jwks_url: Option<String>,
    /// The claim with the user's name.
    pub user_claim: String,
    /// The claim with the user's groups; none = tokens name none.
    pub groups_claim: Option<String>,
    /// Who is in one of these groups is an admin.
    pub admin_groups: BTreeSet<String>,
    /// How they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Clocks may differ by so many seconds.
    pub leeway: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            issuer: String::new(),
            audience: BTreeSet::new(),
            jwks_url: None,
            user_claim: "sub".into(),
            groups_claim: None,
            admin_groups: BTreeSet::new(),
            algorithms: ALGORITHMS.into(),
            leeway: 60,
        }
    }
}

impl Config {
    /// Can tokens be judged by it?
    pub fn check(&self) -> Result<(), AuthConfigError> {
        web::address(&self.issuer).map_err(|problem| wrong("issuer", problem))?;
        if self.audience.is_empty() || self.audience.contains("") {
            return Err(wrong("audience", "must be set: a token for somebody else is not for this gateway"));
        }
        if let Some(url) = &self.jwks_url {
            web::address(url).map_err(|problem| wrong("jwks_url", problem))?;
        }
        if self.user_claim.is_empty() {
            return Err(wrong("user_claim", "must be the name of a claim"));
        }
        if self.groups_claim.as_ref().is_some_and(String::is_empty) {
            return Err(wrong("groups_claim", "must be the name of a claim; leave it out where tokens name no groups"));
        }
        if self.groups_claim.is_none() && !self.admin_groups.is_empty() {
            return Err(wrong("admin_groups", "is set, and `auth.jwt.groups_claim` does not say where groups are"));
        }
        if self.algorithms.is_empty() || self.algorithms.iter().any(|one| one.family() == AlgorithmFamily::Hmac) {
            let known = ALGORITHMS.map(|one| format!("{one:?}")).join(", ");
            return Err(wrong("algorithms", &format!("must be some of {known}")));
        }
        if self.leeway > LONGEST_LEEWAY {
            return Err(wrong("leeway", &format!("is {}; it may be {LONGEST_LEEWAY} seconds at most", self.leeway)));
        }
        Ok(())
    }
}

fn wrong(field: &str, problem: &str) -> AuthConfigError {
    AuthConfigError::invalid(format!("auth.jwt.{field}"), problem)
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(BTreeSet<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => [one].into(),
        OneOrMany::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Config, String> {
        let config: Config = serde_json::from_value(value).map_err(|error| error.to_string())?;
        config.check().map(|()| config).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn an_issuer_and_an_audience_are_enough() {
        let config = read(json!({"issuer": "https://id.example", "audience": "dask"})).unwrap();
        assert_eq!((config.user_claim.as_str(), config.leeway), ("sub", 60));
        let config = read(json!({"issuer": "https://id.example", "audience": ["a", "b"]})).unwrap();
        assert_eq!(config.audience.len(), 2);
    }

    #[test]
    fn what_cannot_be_names_its_field() {
        let good = json!({"issuer": "https://id.example", "audience": "dask"});
        for (field, value) in [
            ("issuer", json!("")),
            ("issuer", json!("id.example")),
            ("issuer", json!("ftp://id.example")),
            ("audience", json!([])),
            ("audience", json!([""])),
            ("jwks_url", json!("/keys")),
            ("user_claim", json!("")),
            ("groups_claim", json!("")),
            ("admin_groups", json!(["ops"])),
            ("algorithms", json!([])),
            ("algorithms", json!(["RS256", "HS256"])),
            ("leeway", json!(3600)),
        ] {
            let mut config = good.clone();
            config[field] = value;
            let message = read(config.clone()).unwrap_err();
            assert!(message.starts_with(&format!("`auth.jwt.{field}` ")), "{config}: {message}");
        }
        assert!(read(json!({"issuer": "https://id.example", "audience": "a", "algorithms": ["none"]})).is_err());
        assert!(read(json!({"issuer": "https://id.example", "audience": "a", "audiences": "b"})).is_err());
    }
}
