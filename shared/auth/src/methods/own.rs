//! Where no way to sign in is configured: one person's gateway on their own machine.

use super::basic::CHALLENGE;
use crate::{AuthError, Authenticated, Method, Peer, Presented};
use async_trait::async_trait;
use faregate_core::model::{Identity, Ms, user_name};
use http::HeaderValue;

/// Lets processes of one system user in, and of the superuser; the names that they give are labels.
pub struct OwnProcesses {
    /// That user: the gateway's own.
    pub uid: u32,
}

impl OwnProcesses {
    fn check(&self, peer: &Peer) -> Result<(), AuthError> {
        let own = self.uid;
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
}

#[async_trait]
impl Method for OwnProcesses {
    fn name(&self) -> &'static str {
        "basic"
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(CHALLENGE)
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Basic { .. })
    }

    async fn authenticate(&self, presented: &Presented, peer: &Peer, _: Ms) -> Result<Authenticated, AuthError> {
        self.check(peer)?;
        let Presented::Basic { name, .. } = presented else { return Err(AuthError::denied("no name")) };
        let name = user_name(name).map_err(|_| AuthError::denied("no user can be called so"))?;
        Ok(Authenticated::user(name, self.name()))
    }

    async fn session_valid(&self, _: &Identity, peer: &Peer, _: Ms, _: Ms) -> Result<bool, AuthError> {
        self.check(peer).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn names_are_labels_for_processes_of_the_gateways_own_user() {
        let method = OwnProcesses { uid: 1000 };
        let presented = Presented::Basic { name: "anything".into(), password: "x".into() };
        let peer = |uid| Peer { address: Some(Ipv4Addr::LOCALHOST.into()), uid, forwards: false };
        for uid in [1000, 0] {
            let entered = method.authenticate(&presented, &peer(Some(uid)), 0).await.unwrap();
            assert_eq!(entered.who.name, "anything");
            assert_eq!(method.session_valid(&entered.who, &peer(Some(uid)), 0, 0).await, Ok(true));
        }
        let who = Authenticated::user("anything".into(), "basic").who;
        for other in [peer(Some(1001)), peer(None), Peer { address: None, ..peer(Some(1000)) }] {
            assert!(
                matches!(method.authenticate(&presented, &other, 0).await, Err(AuthError::Forbidden(_))),
                "{other:?}"
            );
            assert!(
                matches!(method.session_valid(&who, &other, 0, 0).await, Err(AuthError::Forbidden(_))),
                "{other:?}"
            );
        }
    }
}
