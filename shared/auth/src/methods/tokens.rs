//! Machine tokens: sent by programs as Bearer, or as the password of Basic.

use crate::access::{Access, TOKEN_PREFIX};
use crate::registry::{Backends, MethodConfig};
use crate::{AuthConfigError, AuthError, Authenticated, Method, Opened, Peer, Presented};
use crate::{SessionCheck, SessionEnd};
use async_trait::async_trait;
use faregate_core::model::{Identity, MachineToken, Ms, Role, TokenUse};
use http::HeaderValue;
use serde::Deserialize;
use std::sync::Arc;

/// `[auth.tokens]`: there is nothing to be set.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl MethodConfig for Config {
    const NAME: &'static str = "tokens";
    const ORDER: u8 = 10;
    const MANUAL: &'static str = "";

    fn check(&self, _: &crate::Config) -> Result<(), AuthConfigError> {
        Ok(())
    }

    fn open(&self, backends: &Backends<'_>) -> Opened {
        Ok(Box::new(Tokens { access: backends.access.clone() }))
    }
}

/// Takes what begins with `fgt_`. Who comes with a token is its user, in the groups and for the scopes that it was given.
pub struct Tokens {
    /// Where they are kept.
    pub access: Arc<Access>,
}

#[async_trait]
impl Method for Tokens {
    fn name(&self) -> &'static str {
        Config::NAME
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
        let who = Identity { name: user, groups, role: Role::User, method: Config::NAME.to_owned(), token };
        Ok(Authenticated { who, reply: None })
    }

    async fn session_holds(&self, session: SessionCheck<'_>) -> Result<(), AuthError> {
        let holds = match &session.who.token {
            Some(token) => self.access.token_session_holds(&token.id, session).await?,
            None => false,
        };
        if holds { Ok(()) } else { Err(AuthError::SessionOver(SessionEnd::TokenEnded)) }
    }
}
