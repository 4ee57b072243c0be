//! Machine tokens: sent by programs as Bearer, or as the password of Basic.

use super::{Entered, Method, Peer, Presented, Refused};
use crate::access::{Access, TOKEN_PREFIX, Unsettled};
use async_trait::async_trait;
use axum::http::HeaderValue;
use faregate_core::chain;
use faregate_core::model::{Identity, MachineToken, Ms, Role, TokenUse};
use std::sync::Arc;

/// Takes what begins with `fgt_`. Who comes with a token is its user, in the groups and for the scopes that it was given.
pub struct Tokens {
    /// Where they are kept.
    pub access: Arc<Access>,
}

impl From<Unsettled> for Refused {
    fn from(error: Unsettled) -> Self {
        tracing::warn!(cause = chain(&error), "credentials cannot be checked");
        Refused::Unavailable(error.to_string())
    }
}

#[async_trait]
impl Method for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    /// Nobody is asked for a token: a browser that asks for a password gets one with Basic.
    fn challenge(&self) -> Option<HeaderValue> {
        None
    }

    fn takes(&self, presented: &Presented, _: &Peer) -> bool {
        presented.token().is_some_and(|(text, _)| text.starts_with(TOKEN_PREFIX))
    }

    async fn enter(&self, presented: &Presented, _: &Peer, now: Ms) -> Result<Entered, Refused> {
        let (text, name) = presented.token().ok_or(Refused::denied("no token"))?;
        let token = self.access.verify_token(text, name, now).await?;
        let token = token.ok_or(Refused::denied("there is no such token of this user, or it is no longer good"))?;
        let MachineToken { id, user, groups, scopes, .. } = token;
        let token = Some(TokenUse { id, scopes });
        let who = Identity { name: user, groups, role: Role::User, method: self.name().to_owned(), token };
        Ok(Entered { who, reply: None })
    }

    async fn stands(&self, who: &Identity, _: &Peer, since: Ms, now: Ms) -> Result<bool, Refused> {
        let Some(token) = &who.token else { return Ok(false) };
        Ok(self.access.token_stands(&token.id, &who.name, since, now).await?)
    }
}
