//! Kerberos: `Authorization: Negotiate <token>`, checked with the service's key alone. No KDC is asked, so none need be in reach.

mod accept;
#[cfg(test)]
mod builder;
mod crypto;
mod der;
mod keytab;
mod messages;
#[cfg(test)]
mod tests;
mod token;

pub use keytab::KeytabError;

use super::{Entered, Method, Peer, Presented, Refused, Wrong};
use accept::{Accepted, Policy, Random, accept};
use async_trait::async_trait;
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faregate_core::model::Ms;
use faregate_core::ports::StoreError;
use keytab::Keytab;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// `[auth.kerberos]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file with the service's keys.
    pub keytab: Option<PathBuf>,
    /// The first part of the service's name; the second is any host that the keytab has.
    pub service_name: String,
    /// Realms, beside the keytab's own, whose users may come in, as `name@REALM`.
    pub realms: Vec<String>,
    /// So many seconds may clocks be apart.
    pub clock_skew: u32,
}

impl Default for Config {
    fn default() -> Self {
        // RFC 4120, 8.2: five minutes
        Config { keytab: None, service_name: "HTTP".to_owned(), realms: Vec::new(), clock_skew: 300 }
    }
}

/// The method cannot be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum KerberosError {
    #[error("`auth.kerberos.keytab` is not set: it is the file with the service's keys")]
    NoKeytab,
    #[error("`auth.kerberos.keytab` = `{}` cannot be read", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`auth.kerberos.keytab` cannot be used: {0}")]
    Keytab(#[from] KeytabError),
    #[error(
        "`auth.kerberos.keytab` has no key of a service `{service}/<host>` with an encryption type of 17 to 20 (AES); it has {has}"
    )]
    NoKey { service: String, has: String },
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

/// Remembers what may be used once.
#[async_trait]
pub trait Once: Send + Sync {
    /// Is this the first time? What is asked after `until` is refused anyway.
    async fn first_time(&self, what: &str, until: Ms) -> Result<bool, StoreError>;
}

/// The method.
pub struct Kerberos {
    keytab: Keytab,
    policy: Policy,
    once: Arc<dyn Once>,
}

impl Config {
    /// Its fields, as the configuration names them.
    pub const FIELDS: [&str; 4] = ["keytab", "service_name", "realms", "clock_skew"];

    /// What can be said without reading the keytab.
    pub fn check(&self) -> Result<(), Wrong> {
        let invalid = |field: &str, problem: &str| {
            Err(Wrong::Invalid { field: format!("auth.kerberos.{field}"), problem: problem.to_owned() })
        };
        if self.service_name.is_empty() || self.service_name.contains(['/', '@']) {
            return invalid("service_name", "is the first part of `HTTP/host@REALM`, without what follows");
        }
        if self.realms.iter().any(String::is_empty) {
            return invalid("realms", "has an empty name");
        }
        if !(1..=86_400).contains(&self.clock_skew) {
            return invalid("clock_skew", "is a number of seconds from 1 to 86400");
        }
        Ok(())
    }

    /// The method, with the keys of the file that is named.
    pub fn open(&self, once: Arc<dyn Once>) -> Result<Kerberos, KerberosError> {
        let path = self.keytab.clone().ok_or(KerberosError::NoKeytab)?;
        let bytes = std::fs::read(&path).map_err(|source| KerberosError::Read { path, source })?;
        self.with_keytab(&bytes, once)
    }

    /// The method, with the keys of a keytab's bytes.
    pub fn with_keytab(&self, keytab: &[u8], once: Arc<dyn Once>) -> Result<Kerberos, KerberosError> {
        self.check()?;
        let mut keytab = Keytab::parse(keytab)?;
        let policy = Policy {
            service: self.service_name.clone(),
            realms: self.realms.clone(),
            skew: Ms::from(self.clock_skew) * 1000,
        };
        let all = keytab.entries.len();
        let unusable = keytab.unusable;
        keytab.entries.retain(|entry| match &entry.principal.parts[..] {
            [service, _host] => service.eq_ignore_ascii_case(&policy.service),
            _ => false,
        });
        if keytab.entries.is_empty() {
            let has = format!("{all} of other principals and {unusable} of other types");
            return Err(KerberosError::NoKey { service: policy.service, has });
        }
        Ok(Kerberos { keytab, policy, once })
    }
}

#[async_trait]
impl Method for Kerberos {
    fn name(&self) -> &'static str {
        "kerberos"
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("Negotiate"))
    }

    fn takes(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Negotiate(_))
    }

    async fn enter(&self, presented: &Presented, _: &Peer, now: Ms) -> Result<Entered, Refused> {
        let Presented::Negotiate(token) = presented else { return Err(Refused::denied("no Kerberos token")) };
        let Accepted { user, once, until, answer } =
            accept(token, &self.keytab, &self.policy, now, &random()?).map_err(Refused::Denied)?;
        match self.once.first_time(&format!("kerberos:{once}"), until).await {
            Ok(true) => {}
            Ok(false) => return Err(Refused::denied(format!("the token of `{user}` was used before"))),
            Err(error) => {
                tracing::warn!(%error, "it cannot be said whether a Kerberos token was used before");
                let sentence = "it cannot be said whether the Kerberos token was used before: try again later";
                return Err(Refused::Unavailable(sentence.to_owned()));
            }
        }
        let reply = answer.map(|answer| HeaderValue::try_from(format!("Negotiate {}", STANDARD.encode(answer))));
        let reply = reply.transpose().map_err(|_| Refused::denied("the answer is no header"))?;
        Ok(Entered { reply, ..Entered::user(user, self.name()) })
    }
}

fn random() -> Result<Random, Refused> {
    let (mut confounder, mut sequence) = ([0; crypto::BLOCK], [0; 4]);
    let filled = aws_lc_rs::rand::fill(&mut confounder).and_then(|()| aws_lc_rs::rand::fill(&mut sequence));
    filled.map_err(|_| Refused::Unavailable("this machine has no random numbers to give".to_owned()))?;
    Ok(Random { confounder, sequence: u32::from_be_bytes(sequence) })
}
