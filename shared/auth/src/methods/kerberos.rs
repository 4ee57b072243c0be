//! Kerberos: `Authorization: Negotiate <token>`, checked with the service's key alone. No KDC is asked, so none need be in reach.

use crate::registry::{Backends, MethodConfig};
use crate::{AuthConfigError, AuthError, Authenticated, Method, OpenError, Opened, Peer, Presented};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faregate_core::model::{Ms, user_name};
use faregate_core::ports::Once;
use faregate_kerberos::{Accepted, Keytab, KeytabError, Policy, Random, accept};
use http::HeaderValue;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// `[auth.kerberos]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
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
    /// The keytab itself, where it is no file.
    #[serde(skip)]
    pub keytab_bytes: Option<Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        // RFC 4120, 8.2: five minutes
        Config {
            keytab: None,
            service_name: "HTTP".to_owned(),
            realms: Vec::new(),
            clock_skew: 300,
            keytab_bytes: None,
        }
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
    Keytab(KeytabError),
    #[error(
        "`auth.kerberos.keytab` has no key of a service `{service}/<host>` with an encryption type of 17 to 20 (AES); {has}"
    )]
    NoKey { service: String, has: KeytabError },
    #[error(transparent)]
    Config(#[from] AuthConfigError),
}

/// The method.
pub struct Kerberos {
    keytab: Keytab,
    policy: Policy,
    once: Arc<dyn Once>,
}

impl MethodConfig for Config {
    const NAME: &'static str = "kerberos";
    const ORDER: u8 = 40;
    const MANUAL: &'static str = r##"
# Tickets for `HTTP/<this host>`.
#
# [auth.kerberos]
# keytab = "/etc/faregate/http.keytab"
"##;

    fn check(&self, _: &crate::Config) -> Result<(), AuthConfigError> {
        self.check()
    }

    fn open(&self, backends: &Backends<'_>) -> Opened {
        let opened = match &self.keytab_bytes {
            Some(keytab) => self.with_keytab(keytab, backends.access.clone()),
            None => self.with_file(backends.access.clone()),
        };
        Ok(Box::new(opened.map_err(|error| OpenError::Method(error.into()))?))
    }
}

impl Config {
    /// What can be said without reading the keytab.
    pub fn check(&self) -> Result<(), AuthConfigError> {
        let invalid =
            |field: &str, problem: &str| Err(AuthConfigError::invalid(format!("auth.kerberos.{field}"), problem));
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
    pub fn with_file(&self, once: Arc<dyn Once>) -> Result<Kerberos, KerberosError> {
        let path = self.keytab.clone().ok_or(KerberosError::NoKeytab)?;
        let bytes = std::fs::read(&path).map_err(|source| KerberosError::Read { path, source })?;
        self.with_keytab(&bytes, once)
    }

    /// The method, with the keys of a keytab's bytes.
    pub fn with_keytab(&self, keytab: &[u8], once: Arc<dyn Once>) -> Result<Kerberos, KerberosError> {
        self.check()?;
        let keytab = Keytab::of_service(keytab, &self.service_name).map_err(|error| match error {
            KeytabError::NoKey { .. } => KerberosError::NoKey { service: self.service_name.clone(), has: error },
            error => KerberosError::Keytab(error),
        })?;
        let policy = Policy {
            service: self.service_name.clone(),
            realms: self.realms.clone(),
            skew: Ms::from(self.clock_skew) * 1000,
        };
        Ok(Kerberos { keytab, policy, once })
    }
}

#[async_trait]
impl Method for Kerberos {
    fn name(&self) -> &'static str {
        Config::NAME
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("Negotiate"))
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Negotiate(_))
    }

    async fn authenticate(&self, presented: &Presented, _: &Peer, now: Ms) -> Result<Authenticated, AuthError> {
        let Presented::Negotiate(token) = presented else { return Err(AuthError::denied("no Kerberos token")) };
        let no_random = || AuthError::Unavailable("this machine has no random numbers to give".to_owned());
        let random = Random::draw().ok_or_else(no_random)?;
        let Accepted { user, client, once, until, answer } =
            accept(token, &self.keytab, &self.policy, now, &random).map_err(AuthError::Denied)?;
        let user = user_name(&user).map_err(|_| AuthError::denied(format!("no user can be called `{client}`")))?;
        match self.once.use_once(&format!("kerberos:{once}"), until).await {
            Ok(true) => {}
            Ok(false) => return Err(AuthError::denied(format!("the token of `{user}` was used before"))),
            Err(error) => {
                tracing::warn!(%error, "kerberos replay check failed");
                let sentence = "it cannot be said whether the Kerberos token was used before: try again later";
                return Err(AuthError::Unavailable(sentence.to_owned()));
            }
        }
        let reply = answer.map(|answer| HeaderValue::try_from(format!("Negotiate {}", STANDARD.encode(answer))));
        let reply = reply.transpose().map_err(|_| AuthError::denied("the answer is no header"))?;
        Ok(Authenticated { reply, ..Authenticated::user(user, Config::NAME) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::ports::StoreError;
    use faregate_kerberos::builder::{KERBEROS, NOW, REALM, Token, keytab, spnego};
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<BTreeMap<String, Ms>>);

    #[async_trait]
    impl Once for Seen {
        async fn use_once(&self, what: &str, until: Ms) -> Result<bool, StoreError> {
            Ok(self.0.lock().unwrap().insert(what.to_owned(), until).is_none())
        }
    }

    struct Down;

    #[async_trait]
    impl Once for Down {
        async fn use_once(&self, _: &str, _: Ms) -> Result<bool, StoreError> {
            Err(StoreError::Failed("down".into()))
        }
    }

    async fn authenticate(kerberos: &Kerberos, token: Vec<u8>) -> Result<Authenticated, AuthError> {
        kerberos.authenticate(&Presented::Negotiate(token), &Peer::default(), NOW).await
    }

    #[tokio::test]
    async fn a_token_is_good_once() {
        let kerberos = Config::default().with_keytab(&keytab(), Arc::new(Seen::default())).unwrap();
        assert!(
            kerberos.accepts(&Presented::Negotiate(vec![1]), &Peer::default())
                && !kerberos.accepts(&Presented::Bearer("x".into()), &Peer::default())
        );
        let token = Token::good(18);
        let first = authenticate(&kerberos, token.raw()).await.unwrap();
        assert_eq!((first.who.name.as_str(), first.who.method.as_str()), ("alice", "kerberos"));
        assert!(first.reply.unwrap().to_str().unwrap().starts_with("Negotiate Y"));
        let used = AuthError::denied("the token of `alice` was used before");
        assert_eq!(authenticate(&kerberos, token.raw()).await, Err(used.clone()));
        assert_eq!(authenticate(&kerberos, spnego(&[KERBEROS], &token.raw())).await, Err(used));
        let another = Token { confounder: [8; 16], ..token };
        assert!(authenticate(&kerberos, another.raw()).await.is_ok(), "of the same ticket");
    }

    #[tokio::test]
    async fn nobody_comes_in_where_replays_cannot_be_told() {
        let kerberos = Config::default().with_keytab(&keytab(), Arc::new(Down)).unwrap();
        assert!(matches!(authenticate(&kerberos, Token::good(18).raw()).await, Err(AuthError::Unavailable(_))));
        assert!(
            matches!(authenticate(&kerberos, vec![1]).await, Err(AuthError::Denied(_))),
            "the store is not even asked"
        );
    }

    #[test]
    fn a_configuration_that_cannot_work_says_why() {
        let read = |text: &str| serde_json::from_str::<Config>(text);
        assert!(read(r#"{}"#).unwrap() == Config::default());
        assert!(read(r#"{"keytabs": "x"}"#).is_err());
        let wrong = |text: &str| match read(text).unwrap().with_file(Arc::new(Down)) {
            Ok(_) => panic!("{text} is good"),
            Err(error) => error.to_string(),
        };
        assert_eq!(wrong("{}"), "`auth.kerberos.keytab` is not set: it is the file with the service's keys");
        assert!(wrong(r#"{"keytab": "/nowhere"}"#).contains("`/nowhere` cannot be read"));
        let with = |config: &str, keytab: &[u8]| match read(config).unwrap().with_keytab(keytab, Arc::new(Down)) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(with(r#"{"service_name": "HTTP/host"}"#, &keytab()).contains("`auth.kerberos.service_name`"));
        assert!(with(r#"{"clock_skew": 0}"#, &keytab()).contains("from 1 to 86400"));
        assert!(with(r#"{"realms": [""]}"#, &keytab()).contains("`auth.kerberos.realms`"));
        assert!(with("{}", b"x").contains("does not begin with 05 02"));
        assert!(
            with(r#"{"service_name": "host"}"#, &keytab())
                .contains("it has 4 of other principals and 0 of other types")
        );
    }

    #[tokio::test]
    async fn names_are_normalized_and_nobody_has_one_that_no_user_can_have() {
        let kerberos = Config::default().with_keytab(&keytab(), Arc::new(Seen::default())).unwrap();
        let named = async |name: &'static str| {
            let mut token = Token::good(18);
            [token.client, token.claimed] = [(name, REALM); 2];
            authenticate(&kerberos, token.raw()).await.map(|entered| entered.who.name)
        };
        assert_eq!(named("andre\u{301}").await.unwrap(), "andré");
        assert_eq!(named("a\nb").await, Err(AuthError::denied("no user can be called `a\\nb@EXAMPLE.TEST`")));
        assert!(matches!(named("").await, Err(AuthError::Denied(why)) if why.starts_with("no user can be called")));
    }
}
