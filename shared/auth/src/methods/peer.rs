//! Sign-in by being a process of this machine: over a loopback address the system knows whose process is at the other end of a
//! connection, and that account is the user. It is what PostgreSQL calls peer authentication.

use crate::groups::groups;
use crate::registry::{Backends, MethodConfig};
use crate::{AuthConfigError, AuthError, Authenticated, Method, Opened, Peer, Presented};
use crate::{SessionCheck, SessionEnd};
use async_trait::async_trait;
use faregate_core::model::{Ms, user_name};
use http::HeaderValue;
use serde::Deserialize;
use std::sync::Arc;

/// A system account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// The groups that it is in, its own included.
    pub groups: Vec<String>,
}

/// The accounts of the machine.
#[async_trait]
pub trait SystemAccounts: Send + Sync {
    /// The account of this user id; none when there is no such one. An error is a sentence.
    async fn account(&self, uid: u32) -> Result<Option<Account>, String>;
}

/// `[auth.peer]`: there is nothing to be set.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl MethodConfig for Config {
    const NAME: &'static str = "peer";
    const ORDER: u8 = 50;
    const MANUAL: &'static str = "";

    fn check(&self, _: &crate::Config) -> Result<(), AuthConfigError> {
        Ok(())
    }

    fn open(&self, backends: &Backends<'_>) -> Opened {
        let Some(accounts) = backends.accounts else {
            let problem = "names `peer`, which is for one machine: here nobody's process is known by its connection";
            return Err(AuthConfigError::invalid("auth.methods", problem).into());
        };
        Ok(Box::new(PeerAccounts { accounts: accounts.clone() }))
    }
}

/// The account of the connecting process is the user.
pub struct PeerAccounts {
    /// Of this machine.
    pub accounts: Arc<dyn SystemAccounts>,
}

impl PeerAccounts {
    async fn account(&self, peer: &Peer) -> Result<Account, AuthError> {
        let forbidden = |why: String| Err(AuthError::Forbidden(why));
        let Some(uid) = peer.uid else {
            let why = "whose process makes this connection cannot be told: it comes through another network namespace, \
                       or has ended. hint: connect on the gateway's own machine, without a forwarder in between";
            return forbidden(why.into());
        };
        match self.accounts.account(uid).await {
            Ok(Some(account)) if user_name(&account.name).is_ok() => Ok(account),
            Ok(Some(account)) => {
                forbidden(format!("the system account `{}` cannot be a user", account.name.escape_debug()))
            }
            Ok(None) => forbidden(format!("the user id {uid} has no system account")),
            Err(error) => Err(AuthError::Unavailable(format!("the system's accounts cannot be read: {error}"))),
        }
    }
}

#[async_trait]
impl Method for PeerAccounts {
    fn name(&self) -> &'static str {
        Config::NAME
    }

    fn challenge(&self) -> Option<HeaderValue> {
        None
    }

    /// Of connections of this machine with itself, those that show nothing, or a name alone; but not of a process that forwards
    /// others' requests.
    fn accepts(&self, presented: &Presented, peer: &Peer) -> bool {
        let nothing = match presented {
            Presented::Nothing => true,
            Presented::Basic { password, .. } => password.is_empty(),
            _ => false,
        };
        nothing && peer.is_local() && !peer.forwards
    }

    async fn authenticate(&self, presented: &Presented, peer: &Peer, _: Ms) -> Result<Authenticated, AuthError> {
        let account = self.account(peer).await?;
        let claimed = match presented {
            Presented::Basic { name, .. } if !name.is_empty() => user_name(name).ok(),
            _ => user_name(&account.name).ok(),
        };
        let mut entered = Authenticated::user(user_name(&account.name).unwrap_or_default(), Config::NAME);
        if claimed.as_ref() != Some(&entered.who.name) {
            let name = &account.name;
            return Err(AuthError::Forbidden(format!(
                "this connection is of the system account `{name}`, which signs in as `{name}` and nobody else"
            )));
        }
        entered.who.groups = groups(&entered.who.name, account.groups);
        Ok(entered)
    }

    async fn session_holds(&self, SessionCheck { who, peer, .. }: SessionCheck<'_>) -> Result<(), AuthError> {
        let anothers = Err(AuthError::SessionOver(SessionEnd::AnothersProcess));
        if !peer.is_local() || peer.forwards {
            return anothers;
        }
        let account = self.account(peer).await?;
        if user_name(&account.name).is_ok_and(|name| name == who.name) { Ok(()) } else { anothers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reading, SessionStart};
    use std::net::{IpAddr, Ipv4Addr};

    struct Two;

    #[async_trait]
    impl SystemAccounts for Two {
        async fn account(&self, uid: u32) -> Result<Option<Account>, String> {
            let account = |name: &str| Account { name: name.into(), groups: vec![name.into(), "users".into()] };
            match uid {
                1000 => Ok(Some(account("alice"))),
                1001 => Ok(Some(account("bob"))),
                1002 => Ok(None),
                _ => Err("no answer".into()),
            }
        }
    }

    fn method() -> PeerAccounts {
        PeerAccounts { accounts: Arc::new(Two) }
    }

    fn local(uid: Option<u32>) -> Peer {
        Peer { address: Some(Ipv4Addr::LOCALHOST.into()), uid, forwards: false }
    }

    fn basic(name: &str, password: &str) -> Presented {
        Presented::Basic { name: name.into(), password: password.into() }
    }

    #[tokio::test]
    async fn the_account_of_the_process_is_the_user_with_its_groups() {
        for presented in [Presented::Nothing, basic("alice", ""), basic("", "")] {
            let who = method().authenticate(&presented, &local(Some(1000)), 0).await.unwrap().who;
            assert_eq!((who.name.as_str(), who.groups), ("alice", vec!["alice".to_owned(), "users".to_owned()]));
        }
    }

    #[tokio::test]
    async fn nobody_signs_in_as_somebody_else_and_what_cannot_be_told_is_said() {
        for (presented, uid, says) in [
            (basic("bob", ""), Some(1000), "signs in as `alice` and nobody else"),
            (Presented::Nothing, None, "cannot be told"),
            (Presented::Nothing, Some(1002), "the user id 1002 has no system account"),
        ] {
            match method().authenticate(&presented, &local(uid), 0).await {
                Err(AuthError::Forbidden(why)) => assert!(why.contains(says), "{why}"),
                other => panic!("{other:?}"),
            }
        }
        let unread = method().authenticate(&Presented::Nothing, &local(Some(1)), 0).await;
        assert!(matches!(unread, Err(AuthError::Unavailable(_))));
    }

    #[test]
    fn only_processes_of_this_machine_that_speak_for_themselves_are_asked_about() {
        let takes = |presented: &Presented, peer: &Peer| method().accepts(presented, peer);
        assert!(takes(&Presented::Nothing, &local(None)), "and then told why they are not let in");
        assert!(!takes(&basic("alice", "x"), &local(Some(1000))));
        assert!(!takes(&Presented::Bearer("x".into()), &local(Some(1000))));
        assert!(!takes(&Presented::Nothing, &Peer { forwards: true, ..local(Some(1000)) }));
        let remote = IpAddr::from([10, 0, 0, 1]);
        assert!(!takes(&Presented::Nothing, &Peer { address: Some(remote), ..local(Some(1000)) }));
        assert!(!takes(&Presented::Nothing, &Peer::default()));
    }

    #[tokio::test]
    async fn a_session_is_good_for_processes_of_its_account_alone() {
        let alice = Authenticated::user("alice".into(), "peer").who;
        let start = SessionStart { at: 0, stamp: None };
        let stands = async |peer: Peer| {
            let session = SessionCheck { who: &alice, peer: &peer, start: &start, reading: Reading::Believed, now: 0 };
            method().session_holds(session).await.is_ok()
        };
        assert!(stands(local(Some(1000))).await);
        for other in [local(Some(1001)), local(None), Peer { forwards: true, ..local(Some(1000)) }, Peer::default()] {
            assert!(!stands(other).await, "{other:?}");
        }
    }
}
