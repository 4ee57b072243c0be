//! Machine tokens: sent by programs as Bearer, or as the password of Basic.

use crate::access::{Access, TOKEN_PREFIX};
use crate::{AuthError, Authenticated, Method, Peer, Presented};
use async_trait::async_trait;
use faregate_core::model::{Identity, MachineToken, Ms, Role, TokenUse};
use http::HeaderValue;
use std::sync::Arc;

/// Takes what begins with `fgt_`. Who comes with a token is its user, in the groups and for the scopes that it was given.
pub struct Tokens {
    /// Where they are kept.
    pub access: Arc<Access>,
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

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        presented.token().is_some_and(|(text, _)| text.starts_with(TOKEN_PREFIX))
    }

    async fn authenticate(&self, presented: &Presented, _: &Peer, now: Ms) -> Result<Authenticated, AuthError> {
        let (text, name) = presented.token().ok_or(AuthError::denied("no token"))?;
        let token = self.access.verify_token(text, name, now).await?;
        let token = token.ok_or(AuthError::denied("there is no such token of this user, or it is no longer good"))?;
        let MachineToken { id, user, groups, scopes, .. } = token;
        let token = Some(TokenUse { id, scopes });
        let who = Identity { name: user, groups, role: Role::User, method: self.name().to_owned(), token };
        Ok(Authenticated { who, reply: None })
    }

    async fn session_valid(&self, who: &Identity, _: &Peer, since: Ms, now: Ms) -> Result<bool, AuthError> {
        let Some(token) = &who.token else { return Ok(false) };
        Ok(self.access.token_session_valid(&token.id, &who.name, since, now).await?)
    }
}
