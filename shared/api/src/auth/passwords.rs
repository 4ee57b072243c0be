//! HTTP Basic with passwords of users' own.

use super::basic::CHALLENGE;
use super::{Entered, Method, Peer, Presented, Refused};
use crate::access::Access;
use async_trait::async_trait;
use axum::http::HeaderValue;
use faregate_core::model::{Identity, Ms, user_name};
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

    fn takes(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Basic { .. })
    }

    fn is_guessable(&self) -> bool {
        true
    }

    async fn enter(&self, presented: &Presented, _: &Peer, _: Ms) -> Result<Entered, Refused> {
        let Presented::Basic { name, password } = presented else { return Err(Refused::denied("no password")) };
        let name = user_name(name).map_err(|_| Refused::denied("no user can be called so"))?;
        match self.access.verify_password(&name, password).await? {
            true => Ok(Entered::user(name, self.name())),
            false => Err(Refused::denied("a wrong password, or no such user")),
        }
    }

    async fn stamp(&self, who: &Identity, since: Ms, now: Ms) -> Result<Option<String>, Refused> {
        Ok(self.access.password_stamp(&who.name, since, now).await?)
    }

    async fn stands(&self, who: &Identity, _: &Peer, since: Ms, now: Ms) -> Result<bool, Refused> {
        Ok(self.access.password_stands(&who.name, since, now).await?)
    }
}
