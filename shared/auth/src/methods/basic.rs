//! HTTP Basic: with passwords of users' own, with one that all share, or where no way to sign in is configured.

use crate::access::Access;
use crate::registry::{Backends, MethodConfig};
use crate::{AuthConfigError, AuthError, Authenticated, Method, Opened, Peer, Presented};
use crate::{SessionCheck, SessionEnd};
use async_trait::async_trait;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::{Identity, Ms, user_name};
use http::HeaderValue;
use serde::Deserialize;
use std::sync::Arc;

/// What a browser needs to ask its user.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"faregate\"");

/// `[auth.basic]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// One password that all users share; none = everybody has their own.
    pub password: Option<String>,
}

impl MethodConfig for Config {
    const NAME: &'static str = "basic";
    const ORDER: u8 = 60;
    const MANUAL: &'static str = r##"
# One password that all users share. Without it each user has their own: `faregate admin users add alice`.
#
# [auth.basic]
# password = "a long secret"
"##;

    fn check(&self, whole: &crate::Config) -> Result<(), AuthConfigError> {
        if self.password.as_ref().is_some_and(String::is_empty) {
            let problem =
                "must be text of at least one character; leave it out where everybody has a password of their own";
            return Err(AuthConfigError::invalid("auth.basic.password", problem));
        }
        if self.password.is_some() && !whole.admins.is_empty() {
            let problem = "cannot be named where everybody shares one password (`auth.basic.password`): whoever knows it could be one of them";
            return Err(AuthConfigError::invalid("auth.admins", problem));
        }
        Ok(())
    }

    fn open(&self, backends: &Backends<'_>) -> Opened {
        Ok(Box::new(match &self.password {
            Some(password) => Basic::shared(password),
            None => Basic::own(backends.access.clone()),
        }))
    }
}

/// Whoever sends a name with what proves it.
pub struct Basic(Proof);

/// What that is.
enum Proof {
    /// Nothing: whoever reaches the port can be anybody.
    Nothing,
    /// The password that all users share.
    Shared(String),
    /// A password of the user's own, which an admin has set.
    Own(Arc<Access>),
    /// Being a process of this system user, or of the superuser; the names that they give are labels.
    Process { uid: u32 },
}

impl Basic {
    /// Takes a user's word for their name: say so where it is configured.
    pub fn anybody() -> Self {
        Basic(Proof::Nothing)
    }

    /// With one password for all.
    pub fn shared(password: impl Into<String>) -> Self {
        Basic(Proof::Shared(password.into()))
    }

    /// With passwords that are kept there.
    pub fn own(access: Arc<Access>) -> Self {
        Basic(Proof::Own(access))
    }

    /// One person's gateway on their own machine: for processes of the gateway's own user.
    pub fn own_processes(uid: u32) -> Self {
        Basic(Proof::Process { uid })
    }
}

/// Is it a process of this user, or of the superuser?
fn check_process(own: u32, peer: &Peer) -> Result<(), AuthError> {
    let whose = match peer.uid.filter(|_| peer.is_local()) {
        Some(uid) if uid == own || uid == 0 => return Ok(()),
        Some(uid) => format!("yours is of user {uid}"),
        None => "whose yours is cannot be told".to_owned(),
    };
    Err(AuthError::Forbidden(format!(
        "no way to sign in is configured, so only processes of the gateway's own user (id {own}) and of root are let in; {whose}. \
         hint: set `methods` under `[auth]`"
    )))
}

fn check_shared(right: &str, given: &str) -> Result<(), AuthError> {
    // digests have one length, so that the time says nothing about the password's
    let (right, given) = (digest(&SHA256, right.as_bytes()), digest(&SHA256, given.as_bytes()));
    verify_slices_are_equal(right.as_ref(), given.as_ref()).map_err(|_| AuthError::denied("a wrong password"))
}

#[async_trait]
impl Method for Basic {
    fn name(&self) -> &'static str {
        Config::NAME
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(CHALLENGE)
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Basic { .. })
    }

    /// A password that looks like something else is that.
    fn is_asked_last(&self) -> bool {
        true
    }

    fn is_guessable(&self) -> bool {
        match self.0 {
            Proof::Shared(_) | Proof::Own(_) => true,
            Proof::Nothing | Proof::Process { .. } => false,
        }
    }

    async fn authenticate(&self, presented: &Presented, peer: &Peer, _: Ms) -> Result<Authenticated, AuthError> {
        let Presented::Basic { name, password } = presented else { return Err(AuthError::denied("no password")) };
        let named = || user_name(name).map_err(|_| AuthError::denied("no user can be called so"));
        let name = match &self.0 {
            Proof::Nothing => named()?,
            Proof::Shared(right) => check_shared(right, password).and_then(|()| named())?,
            Proof::Process { uid } => check_process(*uid, peer).and_then(|()| named())?,
            Proof::Own(access) => {
                let name = named()?;
                if !access.verify_password(&name, password).await? {
                    return Err(AuthError::denied("a wrong password, or no such user"));
                }
                name
            }
        };
        Ok(Authenticated::user(name, Config::NAME))
    }

    async fn stamp(&self, who: &Identity, since: Ms, now: Ms) -> Result<Option<String>, AuthError> {
        match &self.0 {
            Proof::Own(access) => Ok(access.password_stamp(&who.name, since, now).await?),
            Proof::Nothing | Proof::Shared(_) | Proof::Process { .. } => Ok(None),
        }
    }

    async fn session_holds(&self, session: SessionCheck<'_>) -> Result<(), AuthError> {
        let end = match &self.0 {
            Proof::Own(access) => access.end_of_password_session(session).await?,
            // with a password of the user's own, when that was configured
            _ if session.start.stamp.is_some() => Some(SessionEnd::PasswordChanged),
            Proof::Nothing | Proof::Shared(_) => None,
            Proof::Process { uid } => return check_process(*uid, session.peer),
        };
        end.map_or(Ok(()), |end| Err(AuthError::SessionOver(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reading, SessionStart};
    use std::net::Ipv4Addr;

    async fn name(password: Option<&str>, name: &str, given: &str) -> Option<String> {
        let method = password.map_or_else(Basic::anybody, Basic::shared);
        let presented = Presented::Basic { name: name.to_owned(), password: given.to_owned() };
        method.authenticate(&presented, &Peer::default(), 0).await.ok().map(|entered| entered.who.name)
    }

    #[tokio::test]
    async fn a_user_is_who_they_say() {
        assert_eq!(name(None, "alice", "whatever").await.as_deref(), Some("alice"));
        assert_eq!(name(None, "alice", "").await.as_deref(), Some("alice"));
        assert_eq!(name(None, "al ice", "a:b").await.as_deref(), Some("al ice"));
        assert_eq!(name(None, "andre\u{301}", "x").await.as_deref(), Some("andré"));
    }

    #[tokio::test]
    async fn the_shared_password_counts() {
        assert_eq!(name(Some("right:one"), "alice", "right:one").await.as_deref(), Some("alice"));
        for wrong in ["wrong", "", "right:one ", "right:on"] {
            assert_eq!(name(Some("right:one"), "alice", wrong).await, None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_a_user_is_denied() {
        for bad in ["", "a\nb", "a\0b", "a\u{85}b", &"a".repeat(200)] {
            assert_eq!(name(None, bad, "x").await, None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn names_are_labels_for_processes_of_the_gateways_own_user() {
        let method = Basic::own_processes(1000);
        let presented = Presented::Basic { name: "anything".into(), password: "x".into() };
        let start = SessionStart { at: 0, stamp: None };
        let holds = async |who: &Identity, peer: &Peer| {
            method.session_holds(SessionCheck { who, peer, start: &start, reading: Reading::New, now: 0 }).await
        };
        let peer = |uid| Peer { address: Some(Ipv4Addr::LOCALHOST.into()), uid, forwards: false };
        for uid in [1000, 0] {
            let entered = method.authenticate(&presented, &peer(Some(uid)), 0).await.unwrap();
            assert_eq!(entered.who.name, "anything");
            assert_eq!(holds(&entered.who, &peer(Some(uid))).await, Ok(()));
        }
        let who = Authenticated::user("anything".into(), "basic").who;
        for other in [peer(Some(1001)), peer(None), Peer { address: None, ..peer(Some(1000)) }] {
            assert!(
                matches!(method.authenticate(&presented, &other, 0).await, Err(AuthError::Forbidden(_))),
                "{other:?}"
            );
            assert!(matches!(holds(&who, &other).await, Err(AuthError::Forbidden(_))), "{other:?}");
        }
    }
}
