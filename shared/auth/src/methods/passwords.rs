//! HTTP Basic with passwords of users' own.

use super::basic::CHALLENGE;
use crate::access::Access;
use crate::{AuthError, Authenticated, Method, Peer, Presented};
use async_trait::async_trait;
use faregate_core::model::{Identity, Ms, user_name};
use http::HeaderValue;
use std::sync::Arc;

/// Every user has a password of their own, which an admin has set.
pub struct Passwords {
    /// Where they are kept.
    pub access: Arc<Access>,
}

#[async_trait]
impl Method for Passwords {
    fn name(&self) -> &'static str {
        "basic"
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(CHALLENGE)
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Basic { .. })
    }

    fn is_guessable(&self) -> bool {
        true
    }

    async fn authenticate(&self, presented: &Presented, _: &Peer, _: Ms) -> Result<Authenticated, AuthError> {
        let Presented::Basic { name, password } = presented else { return Err(AuthError::denied("no password")) };
        let name = user_name(name).map_err(|_| AuthError::denied("no user can be called so"))?;
        match self.access.verify_password(&name, password).await? {
            true => Ok(Authenticated::user(name, self.name())),
            false => Err(AuthError::denied("a wrong password, or no such user")),
        }
    }

    async fn stamp(&self, who: &Identity, since: Ms, now: Ms) -> Result<Option<String>, AuthError> {
        Ok(self.access.password_stamp(&who.name, since, now).await?)
    }

    async fn session_valid(&self, who: &Identity, _: &Peer, since: Ms, now: Ms) -> Result<bool, AuthError> {
        Ok(self.access.password_session_valid(&who.name, since, now).await?)
    }
}
